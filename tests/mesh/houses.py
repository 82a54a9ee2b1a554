"""Nodes of one household for the tests of this folder, and the packets they send."""

from dataclasses import dataclass, field, replace

from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.index import Index
from thorp.mesh.index_types import Circle
from thorp.mesh.types import Around
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.wire.announce import Announcement, LanKey, seal

BOOT = "00" * 8
LAN = LanKey(5, bytes(32))


def key(number: int) -> NodeKey:
    return NodeKey(bytes([number]) * 32)


ME, ATTIC, BARN, STRANGER = key(1), key(2), key(3), key(4)
CHANCE = FakeRandomness()


def circle(*keys: NodeKey, lan: LanKey = LAN, **more: object) -> Circle:
    names = {one.node_id: f"node {number}" for number, one in enumerate(keys)}
    return replace(Circle({lan.epoch: lan}, lan.epoch, names), **more)


def said(by: NodeKey = ATTIC, **more: object) -> Announcement:
    """What a node at 10.0.0.2 says."""
    plain = Announcement(by.node_id, "ab" * 8, 100, 180, ("10.0.0.2",), 42690, 7080, "d4" * 32, 3)
    return replace(plain, **more)


def packet(by: NodeKey = ATTIC, lan: LanKey = LAN, **more: object) -> bytes:
    return seal(said(by, **more), by, lan, CHANCE.bytes(12))


@dataclass
class House:
    """An index with everything around it in the test's hand."""

    circle: Circle = field(default_factory=lambda: circle(ME, ATTIC, BARN))
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[Around] = field(default_factory=list)
    asked: list[tuple[str, int, NodeId | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index = self.start()

    def start(self) -> Index:
        """The node after a restart, before it recalls anything."""
        return Index(
            ME.node_id,
            BOOT,
            circle=lambda: self.circle,
            clock=self.clock,
            changed=self.told.append,
            wants_roster=lambda *asked: self.asked.append(asked),
        )

    def hear(self, datagram: bytes, source: str = "10.0.0.2"):
        return self.index.hear(datagram, source)

    @property
    def here(self) -> list[NodeId]:
        return [one.node for one in self.index.around().neighbours]
