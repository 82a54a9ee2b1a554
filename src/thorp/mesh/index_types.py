"""What the index of neighbours and the announcer take and give. Frozen data, and ports for `app` to wire."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from thorp.identity.ids import NodeId
from thorp.wire.announce import Head, LanKey, Refusal


@dataclass(frozen=True, slots=True)
class Circle:
    """Whom to believe now. Asked for at each packet, so it has to be cheap to make."""

    keys: Mapping[int, LanKey]  # accepted now, by epoch: the present one, and in its time of grace the one before
    epoch: int  # the present one
    names: Mapping[str, str] = field(default_factory=dict[str, str])  # the members by node id, this node among them
    removed: Collection[str] = ()

    @property
    def is_alone(self) -> bool:
        return len(self.names) <= 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one packet."""

    node: NodeId | None = None  # the member who sent it; None: it was not taken
    refusal: Refusal | None = None
    own: bool = False  # this node heard itself
    fresh: bool = False  # a member that was not here, has started again, or has got a newer secret


@dataclass(frozen=True, slots=True)
class Showing:
    """What this node shows of its library, in short."""

    list_digest: str = ""
    count: int = 0
    heads: tuple[Head, ...] = ()  # newest first


@dataclass(frozen=True, slots=True)
class Ports:
    """Where this node is reached now; 0 for what does not run."""

    swarm: int = 0
    mesh: int = 0


@dataclass(frozen=True, slots=True)
class NicMarks:
    """What happened on one interface. Times are monotonic; None: never."""

    name: str
    address: str
    since: float | None = None  # we listen here
    sent: float | None = None
    broadcast: bool = False  # the last packet went out that way too
    error: str = ""
    echo: float | None = None  # our own packet came back through the group
    group: float | None = None  # a member was heard through the group
    wide: float | None = None  # a member was heard by broadcast


class SeqShelf(Protocol):
    """The highest number taken from each node, and used by this one, over a restart. Both methods block."""

    def load(self) -> Mapping[NodeId, int]: ...

    def save(self, seqs: Mapping[NodeId, int]) -> None: ...
