"""What the fake hub was asked and what it really sent. Whatever a client has received, the log counts already."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from thorp.testing.hub.request import Host


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `sent` counts bytes of the answer's body, without head and framing."""

    host: Host
    method: str
    path: str
    query: str
    range: tuple[int, int | None] | None
    status: int  # 0: no answer, or not yet
    sent: int
    authorization: bool
    at: float  # monotonic seconds
    repo: str = ""
    file: str = ""  # in its repository
    first: int | None = None  # of an answer with bytes of a file: where in the file they begin
    faults: tuple[str, ...] = ()
    done: bool = False

    @property
    def span(self) -> tuple[int, int] | None:
        """Which bytes of the file were sent, first and end."""
        return None if self.first is None or not self.sent else (self.first, self.first + self.sent)

    def is_for(self, path: str) -> bool:
        """Whether it is about this file, with or without its repository in front."""
        return bool(self.file) and path in (self.file, f"{self.repo}/{self.file}")

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(eq=False, slots=True)
class Entry:
    """A request while it is being answered."""

    asked: Asked
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> Asked:
        with self._lock:
            return self.asked

    def answered(self, status: int, first: int | None, faults: tuple[str, ...]) -> None:
        with self._lock:
            self.asked = replace(self.asked, status=status, first=first, faults=faults)

    def counting(self, send: Callable[[], int]) -> int:
        """Send without waiting, and count it before anybody can look."""
        with self._lock:
            count = send()
            self.asked = replace(self.asked, sent=self.asked.sent + count)
        return count

    def ended(self) -> Asked:
        with self._lock:
            self.asked = replace(self.asked, done=True)
            return self.asked


@dataclass(eq=False, slots=True)
class Log:
    """All requests, in the order in which they came in."""

    _entries: list[Entry] = field(default_factory=list[Entry])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, asked: Asked) -> Entry:
        entry = Entry(asked)
        with self._lock:
            self._entries.append(entry)
        return entry

    def read(self) -> tuple[Asked, ...]:
        with self._lock:
            entries = tuple(self._entries)
        return tuple(entry.now() for entry in entries)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
