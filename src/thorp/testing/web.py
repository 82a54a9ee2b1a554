"""A whole web face on real parts, without a socket and without a disk."""

from thorp.access.claim import ClaimDesk
from thorp.access.live import LiveCalls
from thorp.base.fanout import Fanout
from thorp.bus.dispatch import Bus
from thorp.identity.ids import NodeId
from thorp.identity.principals import NOBODY, Principal
from thorp.node.capabilities import offers
from thorp.node.service import NodeFeature
from thorp.node.types import Self
from thorp.testing.asgi import Client, Heard
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.testing.shelves import MemoryClaimShelf, MemorySessionShelf
from thorp.testing.surroundings import FakeGauges, FakeSurroundings
from thorp.web.assets import Asset
from thorp.web.doors import Doors
from thorp.web.root import web_app
from thorp.wire.changes import Change


class WebWorld:
    """Ask it as whoever you like. `access` is not in front: a test says who is calling."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.changes = Fanout[Change](room=8, remembered=16)
        self.around = FakeSurroundings()
        self.ready = True
        self.assets: dict[str, Asset] = {}
        self.bus = Bus(self.clock, self.announce)
        sessions = MemorySessionShelf()
        live_calls = LiveCalls(self.clock)
        claims = MemoryClaimShelf(sessions)
        self.desk = ClaimDesk(claims, sessions, live_calls, self.clock, FakeRandomness())
        me = Self(NodeId("ed25519:x"), "1.2.3", self.clock.wall(), 4711)
        self.feature = NodeFeature(me, self.around, FakeGauges(), self.clock)
        self.app = web_app(self.doors())

    def announce(self, change: Change) -> None:
        self.changes.publish(change)

    def doors(self) -> Doors:
        return Doors(
            node_id=NodeId("ed25519:x"),
            version="1.2.3",
            boot="boot",
            bus=self.bus,
            desk=self.desk,
            changes=self.changes,
            clock=self.clock,
            report=self.feature.report,
            is_ready=lambda: self.ready,
            announce=self.announce,
            assets=self.assets,
        )

    async def opened(self) -> "WebWorld":
        for offer in offers(self.feature):
            await self.bus.register(offer)
        return self

    def client(self, principal: Principal = NOBODY, **headers: str) -> Client:
        return Client(self.app, principal, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def ask(self, method: str, target: str, body: object = b"", principal: Principal = NOBODY) -> Heard:
        return await self.client(principal).ask(method, target, body)
