"""A file on its way: its bytes, and a note of which of them are here. Both survive the end of the process.

One process at a time works on it; others may read the note.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, cast

from thorp.base.files import explaining
from thorp.models.cache import refuse_links
from thorp.models.origins import Origins
from thorp.models.types import SourceKind
from thorp.models.uses import still_there, take

BLOCK: Final = 1024 * 1024
VERSION: Final = 1
LOCK: Final = "lock"
TORRENT: Final = "torrent"  # by which an engine fetches it, so that what it left can be checked
NEW_TORRENT: Final = f"{TORRENT}.new"
OWN_FILES: Final = ("data", "progress.json", "progress.new", TORRENT, NEW_TORRENT)
MOST_TRIES: Final = 100  # to get into a folder that others clear away
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring bytes that are all here, or all missing."""

    first: int
    end: int
    here: bool


@dataclass(eq=False, slots=True)
class Blocks:
    """Which blocks of a file are here."""

    size: int
    marks: bytearray = field(init=False)
    heads: dict[int, int] = field(default_factory=dict[int, int])  # bytes at the start of blocks that are not whole

    def __post_init__(self) -> None:
        self.marks = bytearray(-(-self.size // BLOCK))

    @property
    def bytes_here(self) -> int:
        count = self.marks.count(1) * BLOCK + sum(list(self.heads.values()))
        return count - (len(self.marks) * BLOCK - self.size if self.marks and self.marks[-1] else 0)

    def mark(self, first: int, end: int) -> None:
        """Note that these bytes are here: every block that lies wholly within them, and the head of the last one."""
        last = len(self.marks) if end >= self.size else end // BLOCK
        for block in range(-(-first // BLOCK), last):
            self.marks[block] = 1
            self.heads.pop(block, None)
        if first <= last * BLOCK < end < self.size and not self.marks[last]:
            self.heads[last] = max(end - last * BLOCK, self.heads.get(last, 0))

    def clear(self, first: int, end: int) -> None:
        """Note that these bytes are not to be relied on: every block that they touch."""
        if first < end:
            touched = range(first // BLOCK, min(len(self.marks), -(-end // BLOCK)))
            self.marks[touched.start : touched.stop] = bytes(len(touched))
            for block in [one for one in self.heads if one in touched]:
                del self.heads[block]

    def head(self, at: int) -> int:
        """How many bytes are here of the block that begins there and is not whole."""
        return self.heads.get(at // BLOCK, 0)

    def runs(self, first: int, end: int) -> Iterator[Run]:
        """The bytes from `first` to `end`, cut where being here changes. `first` stands at the start of a block."""
        at = first
        while at < end:
            here, stop = bool(self.marks[at // BLOCK]), at
            while stop < end and bool(self.marks[stop // BLOCK]) == here:
                stop = min(stop + BLOCK, end)
            yield Run(at, stop, here)
            at = stop

    def spans(self) -> list[list[int]]:
        """The blocks that are here as `[first, end)` numbers."""
        return [[run.first // BLOCK, -(-run.end // BLOCK)] for run in self.runs(0, self.size) if run.here]

    def restore(self, spans: object, heads: object = None) -> None:
        """Take over what `spans` and `heads` once said; what does not fit is passed over."""
        for span in cast("list[Any]", spans) if isinstance(spans, list) else []:
            match span:
                case [int() as first, int() as end] if 0 <= first < end <= len(self.marks):
                    self.marks[first:end] = b"\1" * (end - first)
                case _:
                    continue
        for head in cast("list[Any]", heads) if isinstance(heads, list) else []:
            match head:
                case [int() as block, int() as count] if (
                    0 <= block < len(self.marks) and not self.marks[block] and 0 < count < BLOCK
                ):
                    self.heads[block] = min(count, self.size - block * BLOCK)
                case _:
                    continue


class Partial:
    """Made by `held`, which locks it, or not at all."""

    def __init__(self, folder: Path, size: int, lock: int) -> None:
        self.folder = folder
        self.blocks = Blocks(size)
        self.by_source: dict[str, int] = {}
        self.origins = Origins(len(self.blocks.marks))
        self.in_engine = False  # an engine writes to it, or did when its process died
        self._lock = lock
        self._safe = Blocks(size)  # what a power cut would leave
        self._handle = -1

    @classmethod
    def held(cls, folder: Path, size: int) -> Self | None:
        """The partial in this folder, locked for this process; None while another one works on it."""
        refuse_links(folder, folder.parents[2])
        with explaining("lock", folder):
            while True:
                lock = _opened(folder)
                try:
                    if not take(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                        os.close(lock)
                        return None
                    if still_there(lock, folder / LOCK):
                        return cls(folder, size, lock)
                except BaseException:
                    os.close(lock)
                    raise
                os.close(lock)  # it ended, and was cleared away, between our two steps

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def handle(self) -> int:
        return self._handle

    def open(self) -> None:
        """Open the data for reading and writing, and remember what of it can be relied on."""
        with explaining("write", self.data):
            self._handle = os.open(self.data, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            length = os.fstat(self._handle).st_size
            os.ftruncate(self._handle, self.blocks.size)
        self._restore(length)

    def _restore(self, length: int) -> None:
        note = read_note(self.folder)
        if note is None or note.get("size") != self.blocks.size:
            return
        if note.get("boot") == boot():
            self.blocks.restore(note.get("here"), note.get("heads"))
        else:
            self.blocks.restore(note.get("safe"))
        self.blocks.clear(min(length, self.blocks.size), self.blocks.size)
        self.by_source = _counted(note.get("by_source"))
        self.origins.restore(note.get("origins"))
        self.in_engine = note.get("in_engine") is True

    def came(self, kind: SourceKind, first: int, end: int, count: int) -> None:
        """Note that the bytes from `first`, the start of a block, up to `end` are here; who sent the last `count`."""
        self.blocks.mark(first, end)
        whole = len(self.blocks.marks) if end >= self.blocks.size else end // BLOCK
        self.origins.came(kind, max(first, end - count) // BLOCK, whole)
        self.by_source[kind.value] = self.by_source.get(kind.value, 0) + count

    def drawn(self) -> str:
        """Its pieces, a letter each, by where they came from."""
        return self.origins.drawn(self.blocks.marks)

    def write(self, data: memoryview, at: int) -> None:
        with explaining("write", self.data):
            while data:
                taken = os.pwrite(self._handle, data, at)
                data, at = data[taken:], at + taken

    def read(self, into: memoryview, at: int) -> None:
        """Fill `into`; what is not there stays as it is, and the hash will tell."""
        with explaining("read", self.data):
            while into and (taken := os.preadv(self._handle, [into], at)):
                into, at = into[taken:], at + taken

    def sync(self) -> None:
        """Bring what is here to the disk, so that a power cut would leave it."""
        before = bytes(self.blocks.marks)
        with explaining("write", self.data):
            os.fdatasync(self._handle)
        self._safe.marks[:] = before

    def note(self) -> None:
        """Write down how far it is. Not synced: after a power cut the last note that came through holds."""
        said = {
            "version": VERSION,
            "size": self.blocks.size,
            "boot": boot(),
            "here": self.blocks.spans(),
            "heads": [list(head) for head in list(self.blocks.heads.items())],
            "safe": self._safe.spans(),
            "by_source": self.by_source,
            "origins": self.origins.spans(),
            "in_engine": self.in_engine,
        }
        draft = self.folder / "progress.new"
        with explaining("write", draft):
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(said, file)
            draft.replace(self.folder / "progress.json")

    def keep_torrent(self, content: bytes) -> None:
        """Whoever is killed meanwhile leaves the one of before, by which what is here can be checked."""
        draft = self.folder / NEW_TORRENT
        with explaining("write", draft):
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            draft.replace(self.folder / TORRENT)

    def finish(self) -> Path:
        """Bring everything to the disk; answers with the file, whose handle is closed."""
        with explaining("write", self.data):
            os.fsync(self._handle)
        self._close()
        return self.data

    def forget(self, first: int, end: int) -> None:
        """These bytes are not to be relied on any more, after a power cut neither."""
        self.blocks.clear(first, end)
        self._safe.clear(first, end)

    def start_over(self) -> None:
        """Forget everything that is here."""
        self.forget(0, self.blocks.size)
        self.by_source.clear()
        self.origins.forget()
        self.in_engine = False
        with suppress(FileNotFoundError):
            (self.folder / "progress.json").unlink()

    def discard(self) -> None:
        """Remove it from the disk. The lock stays ours until `release`."""
        self._close()
        with suppress(OSError):
            for name in OWN_FILES:
                (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # last, so that nobody begins anew in what is being cleared away
            (self.folder / LOCK).unlink()
        for folder in (self.folder, *self.folder.parents[:2]):
            with suppress(OSError):
                folder.rmdir()

    def release(self) -> None:
        self._close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _opened(folder: Path) -> int:
    """A handle of the lock, in a folder that another process may be clearing away."""
    failure = OSError()
    for _ in range(MOST_TRIES):
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, FileExistsError) as error:  # it went in between: it was there, and is not any more
            failure = error
    raise failure


def _counted(said: object) -> dict[str, int]:
    """Bytes by source, as far as a note says it in words that are known here."""
    given = cast("dict[object, object]", said) if isinstance(said, dict) else {}
    known = {kind.value for kind in SourceKind}
    return {
        name: count
        for name, count in given.items()
        if isinstance(name, str) and name in known and isinstance(count, int) and count >= 0
    }


def read_note(folder: Path) -> dict[str, Any] | None:
    """What the note of a partial says; None where there is none that can be read."""
    try:
        found = json.loads((folder / "progress.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def bytes_noted(folder: Path, size: int) -> int:
    """How many bytes of a file another process says are here."""
    blocks, note = Blocks(size), read_note(folder) or {}
    blocks.restore(note.get("here"), note.get("heads"))
    return blocks.bytes_here


def boot() -> str:
    """Which start of the machine this is; what was written but not synced does not outlive it."""
    try:
        return BOOT.read_text("ascii").strip()
    except OSError:
        return ""
