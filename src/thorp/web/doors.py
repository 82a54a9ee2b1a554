"""Everything the web face needs from the rest of the node, handed over once by `app`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from thorp.access.claim import ClaimDesk
from thorp.base.clock import Clock
from thorp.base.fanout import Fanout
from thorp.bus.dispatch import Bus
from thorp.identity.ids import NodeId
from thorp.web.assets import Asset
from thorp.wire.capabilities.node import StatusAnswer
from thorp.wire.changes import Change


@dataclass(frozen=True, slots=True)
class Doors:
    node_id: NodeId
    version: str
    boot: str  # differs at every start; the first half of every SSE id
    bus: Bus
    desk: ClaimDesk
    changes: Fanout[Change]
    clock: Clock
    report: Callable[[], StatusAnswer]
    is_ready: Callable[[], bool]
    announce: Callable[[Change], None]
    assets: Mapping[str, Asset]
