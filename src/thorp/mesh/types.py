"""What the mesh knows about the nodes around it. Frozen data and pure functions on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from thorp.identity.ids import NodeId
from thorp.wire.announce import Head, LanKey
from thorp.wire.household import Roster, SignedRoster, secret_digest

By = Literal["packet", "call", "mdns"]

OPEN_SECONDS: Final = 180.0  # how long a neighbour counts as here after it was heard
GRACE_SECONDS: Final = 600.0  # how long the secret before this one is still accepted


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A member that is here: heard in a valid packet or in a pinned call a short time ago."""

    node: NodeId
    name: str
    address: str
    swarm_port: int  # 0: it offers no torrents
    mesh_port: int
    list_digest: str  # of its shared list; empty: not told
    count: int
    heads: tuple[Head, ...]
    heard: float  # monotonic
    by: By


@dataclass(frozen=True, slots=True)
class Around:
    """Everybody who is here."""

    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceHearing:
    """How far this node gets on one interface."""

    name: str
    address: str
    multicast: bool | None  # None: not known yet
    broadcast: bool  # whether broadcast is used as well
    why: str = ""  # why it is silent there; empty when it is not


@dataclass(frozen=True, slots=True)
class Hearing:
    """How the others hear this node."""

    by: Literal["multicast", "broadcast", "mdns", "none"] = "none"
    why: str = "it has not begun yet"
    interfaces: tuple[InterfaceHearing, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a node keeps about its household over a restart."""

    signed: SignedRoster
    lan: LanKey


@dataclass(frozen=True, slots=True)
class Standing:
    """The household as this node knows it now. Replaced as a whole, so any thread may look at it."""

    signed: SignedRoster
    roster: Roster  # the verified content of `signed`
    lan: LanKey
    before: LanKey | None = None
    before_until: float = 0.0  # monotonic
    names: Mapping[str, str] = field(default_factory=dict[str, str])  # members by node id

    @property
    def is_current(self) -> bool:
        """Whether the secret is that of the roster; otherwise a neighbour has to be asked for it."""
        return secret_digest(self.lan) == self.roster.lan

    def keys(self, now: float) -> Mapping[int, LanKey]:
        """Every secret that opens a packet now, by epoch. Of two of the same epoch the present one counts."""
        keys = {self.lan.epoch: self.lan}
        if self.before is not None and now < self.before_until:
            keys.setdefault(self.before.epoch, self.before)
        return keys


@dataclass(frozen=True, slots=True)
class Turn:
    """What changed in a household."""

    community: str
    epoch: int
    members: frozenset[NodeId]
    gone: frozenset[NodeId]  # members until now, and no more
