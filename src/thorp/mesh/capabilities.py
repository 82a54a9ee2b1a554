"""What the mesh offers on the bus."""

from thorp.mesh.lan_desk import LanDesk
from thorp.wire.capabilities import lan
from thorp.wire.capability import Offer


def offers(desk: LanDesk) -> tuple[Offer, ...]:
    return (
        Offer(lan.LAN_STATUS, unary=desk.status),
        Offer(lan.LAN_PEERS, unary=desk.peers),
        Offer(lan.LAN_INVITE, unary=desk.invite),
        Offer(lan.LAN_JOIN, unary=desk.join),
        Offer(lan.LAN_REMOVE, unary=desk.remove),
        Offer(lan.LAN_HEADS, unary=desk.heads),
        Offer(lan.LAN_TORRENT, unary=desk.torrent),
    )
