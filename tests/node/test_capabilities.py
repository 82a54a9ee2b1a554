"""The feature offers every capability of its area, and the bus lists them."""

import asyncio

from tests.node.test_service import feature
from thorp.bus.dispatch import Bus
from thorp.node.capabilities import offers
from thorp.testing.clock import FakeClock
from thorp.wire.capabilities import every_capability


def test_every_declared_node_capability_is_offered_and_passes_its_self_test() -> None:
    async def story() -> set[str]:
        bus = Bus(FakeClock(), lambda _change: None)
        for offer in offers(feature()):
            assert await bus.register(offer)
        return {entry.capability.id for entry in bus.entries if entry.listed}

    assert asyncio.run(story()) == {one.id for one in every_capability() if one.name.startswith("node.")}
