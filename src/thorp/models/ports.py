"""What models need of others: a hub that is asked, and sources that bytes come from."""

from contextlib import AbstractContextManager
from typing import Protocol

from thorp.models.types import Hit, RemoteRepo, SourceKind, Wanted


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
