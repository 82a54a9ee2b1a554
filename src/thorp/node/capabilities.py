"""What the node feature offers on the bus."""

from thorp.node.service import NodeFeature
from thorp.wire.capabilities.node import NODE_CAPABILITIES, NODE_ECHO, NODE_INFO, NODE_STATUS, NODE_STOP
from thorp.wire.capability import Offer


def offers(feature: NodeFeature) -> tuple[Offer, ...]:
    async def can_report() -> None:
        feature.report()

    return (
        Offer(NODE_INFO, unary=feature.info),
        Offer(NODE_ECHO, streamed=feature.echo),
        Offer(NODE_CAPABILITIES, unary=feature.capabilities),
        Offer(NODE_STATUS, unary=feature.status, self_test=can_report),
        Offer(NODE_STOP, unary=feature.stop),
    )
