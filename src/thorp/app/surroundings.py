"""What the node feature sees of the rest of the node."""

from collections.abc import Callable
from dataclasses import dataclass

from thorp.app.tree import ServiceTree
from thorp.bus.dispatch import Bus
from thorp.node.types import Busy, Listing, NodeState, ServiceFacts
from thorp.wire.capabilities.node import ListenerRow


@dataclass(eq=False, slots=True)
class LiveSurroundings:
    """Questions to the real parts, answered at the moment they are asked."""

    tree: Callable[[], ServiceTree]
    bus: Bus
    own_name: Callable[[], str]
    own_state: Callable[[], NodeState]
    open_listeners: Callable[[], tuple[ListenerRow, ...]]
    is_claimed: Callable[[], bool]
    goings_on: Callable[[], Busy]
    restart_keys: Callable[[], tuple[str, ...]]
    last_stop: Callable[[], bool | None]
    stop: Callable[[str], None]

    def name(self) -> str:
        return self.own_name()

    def state(self) -> NodeState:
        return self.own_state()

    def services(self) -> tuple[ServiceFacts, ...]:
        return tuple(ServiceFacts(one.spec.name, one.state, one.since, one.message) for one in self.tree().branches)

    def listeners(self) -> tuple[ListenerRow, ...]:
        return self.open_listeners()

    def listings(self) -> tuple[Listing, ...]:
        return tuple(Listing(one.capability, one.listed, one.reason) for one in self.bus.entries)

    def claimed(self) -> bool:
        return self.is_claimed()

    def needs_restart(self) -> tuple[str, ...]:
        return self.restart_keys()

    def busy(self) -> Busy:
        return self.goings_on()

    def stopped_cleanly(self) -> bool | None:
        return self.last_stop()

    def request_stop(self, reason: str) -> None:
        self.stop(reason)
