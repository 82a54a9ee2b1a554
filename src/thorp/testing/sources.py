"""Sources of bytes that a test holds in its hand: they do wrong what they are told to, and remember what they gave."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from thorp.base.errors import NetworkError, ThorpError
from thorp.models.ports import Stop
from thorp.models.types import RemoteFile, SourceKind, Wanted
from thorp.testing.hub.content import content_of

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one answer, after so many bytes of it."""

    error: ThorpError | None = None  # it fails with this; without one the answer ends there
    after: int = 0
    stalls: bool = False  # nothing more comes until the transfer is told to end


@dataclass(eq=False)
class FakeSource:
    """Satisfies `ByteSource` out of memory. The first mishap strikes the first request, and so on."""

    data: bytes
    kind: SourceKind = SourceKind.HUB
    detail: str = "fake.example"
    mishaps: list[Mishap] = field(default_factory=list[Mishap])
    opening: Callable[[int], None] = lambda _first: None  # called with the first byte of each request; may wait
    most: int = 1 << 30  # bytes that come at once
    asked: list[Span] = field(default_factory=list[Span])
    given: list[Span] = field(default_factory=list[Span])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def read(self, wanted: Wanted, first: int, end: int, stop: Stop) -> Generator["FakeIncoming"]:
        if not 0 <= first <= end <= wanted.file.size:
            raise ValueError(f"bytes {first} to {end} of {wanted.file.size}")
        with self._lock:
            self.asked.append((first, end))
            mishap = self.mishaps.pop(0) if self.mishaps else None
        self.opening(first)
        if mishap is not None and mishap.error is not None and not mishap.after:
            raise mishap.error
        incoming = FakeIncoming(self, first, end, stop, mishap)
        try:
            yield incoming
        finally:
            if incoming.at > first:
                with self._lock:
                    self.given.append((first, incoming.at))

    @property
    def bytes_given(self) -> int:
        return sum(end - first for first, end in self.given)


@dataclass(eq=False)
class FakeIncoming:
    """Bytes of one range."""

    source: FakeSource
    at: int
    end: int
    stop: Stop
    mishap: Mishap | None
    _came: int = 0

    def readinto(self, buffer: memoryview) -> int:
        room = min(len(buffer), self.end - self.at, self.source.most)
        if self.mishap is not None:
            room = min(room, self.mishap.after - self._came)
            if not room:
                return self._struck(self.mishap)
        buffer[:room] = self.source.data[self.at : self.at + room]
        self.at, self._came = self.at + room, self._came + room
        return room

    def _struck(self, mishap: Mishap) -> int:
        if mishap.stalls:
            self.stop.wait()
            raise NetworkError(f"{self.source.detail} sent nothing any more.")
        if mishap.error is not None:
            raise mishap.error
        return 0


def covered(spans: Iterable[Span]) -> int:
    """How many different bytes lie in these spans."""
    total, reached = 0, 0
    for first, end in sorted(spans):
        total += max(0, end - max(first, reached))
        reached = max(reached, end)
    return total


def wanted_of(data: bytes, path: str = "m-Q4_K_M.gguf", *, git: bool = False) -> Wanted:
    """What a hub would list for these bytes."""
    content = content_of(data, lfs_above=len(data) if git else -1)
    blob = content.blob if git else content.sha256
    return Wanted("org/repo", "a" * 40, RemoteFile(path, len(data), blob, None if git else content.sha256))
