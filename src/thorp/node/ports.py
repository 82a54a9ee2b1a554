"""What the node feature needs to see in order to speak of it. `app` wires these to the real parts."""

from typing import Protocol

from thorp.node.types import Listing, NodeState, Readings, ServiceFacts
from thorp.wire.capabilities.node import ListenerRow


class Surroundings(Protocol):
    """The rest of the node, as far as a status report looks at it."""

    def name(self) -> str: ...

    def state(self) -> NodeState: ...

    def services(self) -> tuple[ServiceFacts, ...]: ...

    def listeners(self) -> tuple[ListenerRow, ...]: ...

    def listings(self) -> tuple[Listing, ...]: ...

    def claimed(self) -> bool: ...

    def needs_restart(self) -> tuple[str, ...]: ...

    def stopped_cleanly(self) -> bool | None: ...

    def request_stop(self, reason: str) -> None: ...


class Gauges(Protocol):
    """Readings of this machine."""

    def read(self) -> Readings: ...
