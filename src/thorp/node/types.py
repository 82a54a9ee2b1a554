"""What a node says about itself, as plain data, and the pure step from what was seen to what is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from thorp.base.moments import rfc3339
from thorp.base.service import ServiceState
from thorp.identity.ids import NodeId
from thorp.wire.capabilities.node import ListenerRow, ServiceRow
from thorp.wire.capability import Capability


class NodeState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Self:
    """What does not change while the node runs."""

    id: NodeId
    version: str
    started: float
    pid: int


@dataclass(frozen=True, slots=True)
class Listing:
    capability: Capability
    listed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    name: str
    state: ServiceState
    since: float
    message: str = ""

    def row(self) -> ServiceRow:
        return ServiceRow(name=self.name, state=self.state, since=rfc3339(self.since), message=self.message)


@dataclass(frozen=True, slots=True)
class Readings:
    """What the machine said; None is unknown, never a guess."""

    resident_bytes: int | None
    disk_free: int | None
    disk_total: int | None


@dataclass(frozen=True, slots=True)
class Busy:
    """What is going on between this node and others."""

    transfers: int
    peers: int


REACH: Mapping[str, str] = {
    "local": "programs and browsers on this machine",
    "socket": "the owner's own user on this machine",
    "exposed": "other devices, with a key",
    "mesh": "other nodes, with their own key",
    "tracker": "other BitTorrent clients of the house, by their address",
}


def listener_row(kind: str, address: str, *, is_open: bool, fingerprint: str | None = None) -> ListenerRow:
    return ListenerRow.model_validate(
        {
            "kind": kind,
            "address": address,
            "state": "open" if is_open else "closed",
            "reach": REACH[kind],
            "fingerprint": fingerprint,
        }
    )
