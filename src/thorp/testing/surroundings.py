"""A node to look at, without a node."""

from dataclasses import dataclass, field

from thorp.base.service import ServiceState
from thorp.node.types import Busy, Listing, NodeState, Readings, ServiceFacts, listener_row
from thorp.wire.capabilities.node import NODE_ECHO, NODE_STATUS, ListenerRow


@dataclass
class FakeSurroundings:
    calls_itself: str = "kitchen"
    stop_reasons: list[str] = field(default_factory=list[str])

    def name(self) -> str:
        return self.calls_itself

    def state(self) -> NodeState:
        return NodeState.RUNNING

    def services(self) -> tuple[ServiceFacts, ...]:
        return (ServiceFacts("store", ServiceState.RUNNING, 1_700_000_000.0),)

    def listeners(self) -> tuple[ListenerRow, ...]:
        return (listener_row("local", "http://127.0.0.1:8737", is_open=True),)

    def listings(self) -> tuple[Listing, ...]:
        return (Listing(NODE_ECHO, listed=True, reason=""), Listing(NODE_STATUS, listed=False, reason="no eyes"))

    def claimed(self) -> bool:
        return False

    def needs_restart(self) -> tuple[str, ...]:
        return ("local.port",)

    def busy(self) -> Busy:
        return Busy(transfers=2, peers=3)

    def stopped_cleanly(self) -> bool | None:
        return None

    def request_stop(self, reason: str) -> None:
        self.stop_reasons.append(reason)


class FakeGauges:
    def read(self) -> Readings:
        return Readings(resident_bytes=50_000_000, disk_free=None, disk_total=None)
