"""What the mesh needs of others. `app` wires these; `thorp.testing.mesh` has them for tests."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Unpack

from thorp.identity.ids import NodeId
from thorp.mesh.types import Around, Hearing, Kept
from thorp.net.mesh_line import Options
from thorp.wire.shared import SharedModel


class HouseholdShelf(Protocol):
    """Where a household is kept. Both methods block."""

    def load(self) -> Kept | None:
        """None: this node was never in a household."""
        ...

    def save(self, kept: Kept) -> None:
        """Return when both are on disk. The roster first: a member once removed stays so after a crash in between."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    path: str
    size: int
    shareable: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What this node shows to its household."""

    models: tuple[SharedModel, ...]
    digest: str


class Library(Protocol):
    """The models of this node, as far as members may see them. Fails with the errors of `models`."""

    async def shown(self) -> Shown: ...

    async def blob(self, sha256: str) -> Blob: ...

    async def torrent(self, infohash: str) -> bytes: ...


class Heard(Protocol):
    """Which neighbours are here. Belongs to the loop."""

    def around(self) -> Around: ...

    def refused(self) -> Mapping[str, int]:
        """How many packets were dropped since the start, by reason."""
        ...

    def note_call(self, node: NodeId, address: str, *, swarm_port: int, mesh_port: int, greeted: bool = True) -> None:
        """A member proved its key in a call, to us or when we called it; whether it said its ports in this very one."""
        ...

    def forget(self, node: NodeId) -> None:
        """It is no member any more."""
        ...


class Voice(Protocol):
    """How this node makes itself heard."""

    def hearing(self) -> Hearing: ...


class Place(Protocol):
    """Where this node is. Asked at each use, because ports and addresses change."""

    def name(self) -> str: ...

    def addresses(self) -> tuple[str, ...]:
        """Addresses on the chosen interfaces, the likeliest first."""
        ...

    def mesh_port(self) -> int:
        """0: no mesh listener is open."""
        ...

    def swarm_port(self) -> int:
        """0: no torrents are offered."""
        ...


class Answered(Protocol):
    """A neighbour's answer, read to its end."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class Incoming(Protocol):
    """Bytes of one range as they come."""

    def readinto(self, buffer: memoryview) -> int: ...


class Connection(Protocol):
    """A line to one node whose key was compared before a byte of a request went out. Blocks."""

    @property
    def node(self) -> NodeId: ...

    def ask(self, method: str, path: str, *, largest: int, seconds: float, **more: Unpack[Options]) -> Answered: ...

    def read(self, path: str, *, token: str, first: int, end: int) -> AbstractContextManager[Incoming]: ...

    def close(self) -> None: ...
