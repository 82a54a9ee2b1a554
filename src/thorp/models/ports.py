"""What models need of others: a hub that is asked, neighbours, and sources that bytes come from."""

from contextlib import AbstractContextManager
from typing import Protocol

from thorp.models.types import Hit, Offered, RemoteRepo, SourceKind, Wanted


class Hub(Protocol):
    """Where repositories are found and listed. Every method blocks and belongs into a thread."""

    @property
    def where(self) -> str:
        """Its host, for people."""
        ...

    def search(self, query: str, limit: int) -> tuple[Hit, ...]:
        """Repositories with GGUF files, most downloaded first."""
        ...

    def repo(self, repo: str, revision: str | None) -> RemoteRepo:
        """One revision with its files; of the newest without one."""
        ...


class Stop(Protocol):
    """How a transfer that is in the middle of waiting learns that it shall end."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Incoming(Protocol):
    """Bytes of one range as they come."""

    def readinto(self, buffer: memoryview) -> int:
        """How many bytes came; 0 is the end of the range. Fails with a NetworkError when the line breaks or stalls."""
        ...


class ByteSource(Protocol):
    """One way to get the bytes of a file. Several may serve one transfer."""

    @property
    def kind(self) -> SourceKind: ...

    @property
    def detail(self) -> str:
        """Which one: a host, a node."""
        ...

    def read(self, wanted: Wanted, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        """The bytes from `first` up to but not including `end`; refused when the source answers with anything else.

        `stop` ends a wait in the middle.
        """
        ...


class NeighbourBytes(Protocol):
    """Files of neighbours over the mesh; what `mesh` gives `models` besides the bus, because it is bulk."""

    def read(self, node: str, sha256: str, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        """The bytes from `first` up to `end` of a neighbour's file, over the connection that is pinned to its key.

        A NotFoundError: it does not have the file, or does not give it. A NetworkError: it is not to be reached now.
        """
        ...


class Neighbours(NeighbourBytes, Protocol):
    """The other nodes of the household, as far as models are concerned. Every method blocks."""

    @property
    def known(self) -> bool:
        """Whether this process knows any neighbours at all; a command line without a node does not."""
        ...

    def models(self) -> tuple[Offered, ...]:
        """What those that are here now say they have."""
        ...

    def torrent(self, infohash: str) -> bytes | None:
        """A `.torrent` file of one of them; None: nobody gives it."""
        ...
