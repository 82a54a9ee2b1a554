"""A file system in memory that forgets what was not synced and fails when it is told to.

A test arranges its world, calls `arm()`, does the work, lets the machine `crash()` and looks at what is left.
It is deterministic and touches no real disk.
"""

import errno
import itertools
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from thorp.base.files import FileFacts, FileKind

MOST_TRIALS: Final = 1000  # operations of one piece of work; more means a loop that never ends


class FaultKind(StrEnum):
    NO_SPACE = "ENOSPC"
    DISK_ERROR = "EIO"
    SHORT_WRITE = "short write"  # half of the bytes are taken, and said so
    TORN_RENAME = "torn rename"  # the new name is there, the old one too, and an error is reported
    LOST_SYNC = "lost fsync"  # from here to the crash the disk says yes and keeps nothing
    POWER_CUT = "power cut"  # the process is gone in the middle of this operation


class Survivors(StrEnum):
    """What the disk happened to have written of the things nobody synced."""

    NOTHING = "nothing"
    NAMES = "names"  # renames and new names are there, the bytes behind them are not
    HALF = "half"  # the names, and the first half of what was added
    EVERYTHING = "everything"


class PowerCutError(BaseException):
    """The process does not exist any more; only a test catches this."""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    number: int  # the how-manieth operation that this kind can hit, from 1
    lasting: bool = False  # that one only, or from then on


@dataclass(eq=False, slots=True)
class Inode:
    kind: FileKind
    mode: int
    data: bytes = b""
    durable: bytes = b""
    mine: bool = True


_EVERY_OPERATION: Final = frozenset(
    {"create", "write", "sync", "close", "sync_folder", "rename", "link", "unlink", "read", "make_folder"}
    | {"list_folder", "facts"}
)
_HITS: Final[dict[FaultKind, frozenset[str]]] = {
    FaultKind.NO_SPACE: frozenset({"create", "write", "sync", "rename", "link", "make_folder"}),
    FaultKind.DISK_ERROR: _EVERY_OPERATION,
    FaultKind.SHORT_WRITE: frozenset({"write"}),
    FaultKind.TORN_RENAME: frozenset({"rename"}),
    FaultKind.LOST_SYNC: frozenset({"sync", "sync_folder"}),
    FaultKind.POWER_CUT: _EVERY_OPERATION,
}
_LASTING: Final[dict[FaultKind, tuple[bool, ...]]] = {
    FaultKind.NO_SPACE: (False, True),
    FaultKind.DISK_ERROR: (False, True),
    FaultKind.SHORT_WRITE: (False, True),
    FaultKind.TORN_RENAME: (False,),
    FaultKind.LOST_SYNC: (True,),
    FaultKind.POWER_CUT: (True,),
}


def every_fault(kinds: Iterable[FaultKind] = FaultKind) -> Generator["FaultyFiles"]:
    """A fresh file system for each fault: the 1st, 2nd, 3rd … operation of each kind, until none fires any more."""
    for kind in kinds:
        for lasting in _LASTING[kind]:
            for number in range(1, MOST_TRIALS):
                files = FaultyFiles(Fault(kind, number, lasting))
                yield files
                if not files.armed:
                    raise RuntimeError("every_fault() needs a trial that calls arm()")
                if not files.fired:
                    break
            else:
                raise RuntimeError(f"{kind} still fires after {MOST_TRIALS} operations: the work never ends")


def _root() -> dict[Path, Inode]:
    return {Path("/"): Inode(FileKind.FOLDER, 0o755)}


@dataclass(eq=False)
class FaultyFiles:
    """Satisfies FilePort. Without a fault, or before `arm()`, it behaves as a sound disk does."""

    fault: Fault | None = None
    armed: bool = field(default=False, init=False)
    fired: bool = field(default=False, init=False)
    _seen: int = field(default=0, init=False)
    _gone: bool = field(default=False, init=False)
    _lying: bool = field(default=False, init=False)
    _names: dict[Path, Inode] = field(default_factory=_root, init=False)
    _durable_names: dict[Path, Inode] = field(default_factory=_root, init=False)
    _open: dict[int, Inode] = field(default_factory=dict[int, Inode], init=False)
    _handles: "itertools.count[int]" = field(default_factory=lambda: itertools.count(3), init=False)

    # What a test does to it.

    def arm(self) -> None:
        """From here operations count, and the fault strikes."""
        self.armed = True

    def crash(self, survivors: Survivors = Survivors.NOTHING) -> None:
        """The machine loses power and starts again, sound. A power cut that was reported has been answered."""
        names = self._durable_names if survivors is Survivors.NOTHING else self._names
        kept = {path: inode for path, inode in names.items() if all(above in names for above in path.parents)}
        for inode in set(kept.values()):
            inode.durable = inode.data = _kept_bytes(inode, survivors)
        self._names, self._durable_names = dict(kept), dict(kept)
        self._open.clear()
        self.fault, self._gone, self._lying = None, False, False

    def set_mode(self, path: Path, mode: int) -> None:
        self._existing(path).mode = mode

    def give_away(self, path: Path) -> None:
        """Let somebody else own it."""
        self._existing(path).mine = False

    def damage(self, path: Path, data: bytes) -> None:
        """Put other bytes there, behind everybody's back."""
        inode = self._existing(path)
        inode.data = inode.durable = data

    # FilePort.

    def create(self, path: Path, mode: int) -> int:
        with self._operation("create"):
            self._add(path, Inode(FileKind.FILE, mode))
            handle = next(self._handles)
            self._open[handle] = self._names[path]
            return handle

    def write(self, handle: int, data: memoryview) -> int:
        with self._operation("write") as strikes:
            taken = max(1, len(data) // 2) if strikes else len(data)
            self._opened(handle).data += bytes(data[:taken])
            return taken

    def sync(self, handle: int) -> None:
        with self._operation("sync"):
            inode = self._opened(handle)
            if not self._lying:
                inode.durable = inode.data

    def close(self, handle: int) -> None:
        self._opened(handle)
        del self._open[handle]  # also when the system reports an error, as Linux does
        with self._operation("close"):
            pass

    def sync_folder(self, folder: Path) -> None:
        with self._operation("sync_folder"):
            self._in_folder(folder)
            if self._lying:
                return
            elsewhere = {path: inode for path, inode in self._durable_names.items() if path.parent != folder}
            here = {path: inode for path, inode in self._names.items() if path.parent == folder}
            self._durable_names = elsewhere | here | {Path("/"): self._names[Path("/")]}

    def rename(self, old: Path, new: Path) -> None:
        with self._operation("rename") as strikes:
            inode = self._existing(old)
            self._in_folder(new.parent)
            if (there := self._names.get(new)) and there.kind is FileKind.FOLDER:
                raise _failure(errno.EISDIR, new)
            self._names[new] = inode
            if strikes:
                raise _failure(errno.EIO, new)
            del self._names[old]

    def link(self, old: Path, new: Path) -> None:
        with self._operation("link"):
            self._add(new, self._existing(old))

    def unlink(self, path: Path) -> None:
        with self._operation("unlink"):
            if self._existing(path).kind is FileKind.FOLDER:
                raise _failure(errno.EISDIR, path)
            del self._names[path]

    def read(self, path: Path, limit: int) -> bytes:
        with self._operation("read"):
            inode = self._existing(path)
            if inode.kind is FileKind.FOLDER:
                raise _failure(errno.EISDIR, path)
            return inode.data[:limit]

    def make_folder(self, path: Path, mode: int) -> None:
        with self._operation("make_folder"):
            self._add(path, Inode(FileKind.FOLDER, mode))

    def list_folder(self, path: Path) -> tuple[str, ...]:
        with self._operation("list_folder"):
            return self._in_folder(path)

    def facts(self, path: Path) -> FileFacts | None:
        with self._operation("facts"):
            inode = self._names.get(path)
            return FileFacts(inode.kind, len(inode.data), inode.mode, inode.mine) if inode else None

    # Inside.

    @contextmanager
    def _operation(self, name: str) -> Generator[bool]:
        """One operation. Fails as the fault says; True when a fault that changes what is done strikes here."""
        if self._gone:
            raise PowerCutError
        strikes = self._strikes(name)
        kind = self.fault.kind if self.fault and strikes else None
        if kind is FaultKind.NO_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind is FaultKind.DISK_ERROR:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if kind is FaultKind.LOST_SYNC:
            self._lying = True
        try:
            yield strikes
        finally:
            if kind is FaultKind.POWER_CUT:
                self._gone = True
                raise PowerCutError

    def _strikes(self, name: str) -> bool:
        fault = self.fault
        if not self.armed or fault is None or name not in _HITS[fault.kind]:
            return False
        self._seen += 1
        strikes = self._seen == fault.number or (fault.lasting and self._seen > fault.number)
        self.fired = self.fired or strikes
        return strikes

    def _existing(self, path: Path) -> Inode:
        if path not in self._names:
            raise _failure(errno.ENOENT, path)
        return self._names[path]

    def _opened(self, handle: int) -> Inode:
        if self._gone:
            raise PowerCutError
        if handle not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[handle]

    def _in_folder(self, folder: Path) -> tuple[str, ...]:
        if self._existing(folder).kind is not FileKind.FOLDER:
            raise _failure(errno.ENOTDIR, folder)
        return tuple(sorted(path.name for path in self._names if path.parent == folder and path != folder))

    def _add(self, path: Path, inode: Inode) -> None:
        self._in_folder(path.parent)
        if path in self._names:
            raise _failure(errno.EEXIST, path)
        self._names[path] = inode


def _kept_bytes(inode: Inode, survivors: Survivors) -> bytes:
    if survivors is Survivors.EVERYTHING:
        return inode.data
    if survivors is Survivors.HALF:
        return inode.data[: (len(inode.durable) + len(inode.data)) // 2]
    return inode.durable


def _failure(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
