"""One node per home: a locked file that says who holds it.

The kernel's lock decides, and dies with its process. The content is for people, for other processes, and for file
systems that know no locks; a process counts as the holder only if it started when the holder did.
"""

import errno
import fcntl
import json
import os
import stat
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from thorp.base.clock import Clock
from thorp.base.errors import ConflictError
from thorp.base.files import explaining
from thorp.base.moments import rfc3339

LONGEST: Final = 4096
PROC: Final = Path("/proc")
NO_LOCKS_HERE: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


class HomeTakenError(ConflictError):
    """A node runs on this home already."""

    code = "app.home_taken"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a home."""

    pid: int
    started: int | None  # clock ticks from boot to the start of the process
    boot: str
    since: float
    home: str
    run: str = ""
    address: str = ""

    def alive(self) -> bool:
        """Whether this very process still runs, and not another one with its number."""
        if self.boot != boot_id():
            return False
        if PROC.joinpath("self").exists():
            return self.started is not None and self.started == process_start(self.pid)
        return _answers(self.pid)


class HomeLock:
    """Taken by `with`; `announce` adds what is known later."""

    def __init__(self, path: Path, home: Path, clock: Clock, data: Path | None = None) -> None:
        self._path = path
        self._home = home
        self._clock = clock
        self._data = data  # locked as well: who loses run/ by accident must not get two nodes on one database
        self._handle: int | None = None
        self._data_handle: int | None = None
        self._holder: Holder | None = None
        self.was_stale = False  # the last holder died without letting go

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self) -> None:
        with explaining("lock", self._path), ExitStack() as undo:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            undo.callback(os.close, handle)
            self.was_stale = _free_or_refused(handle, self._home)
            self._data_handle = _data_or_refused(self._data, self._home)
            undo.pop_all()
        self._handle = handle
        me = os.getpid()
        self._write(Holder(me, process_start(me), boot_id(), self._clock.wall(), str(self._home)))

    def announce(self, *, run: Path, address: str) -> None:
        """Tell where the node can be reached."""
        if self._holder is None:
            raise RuntimeError("the home is not locked")
        self._write(replace(self._holder, run=str(run), address=address))

    def close(self) -> None:
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
        if self._data_handle is not None:
            os.close(self._data_handle)
        self._handle = self._data_handle = self._holder = None

    def _write(self, holder: Holder) -> None:
        if self._handle is None:
            raise RuntimeError("the home is not locked")
        content = json.dumps(asdict(holder)).encode()
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))
        self._holder = holder


def read_holder(path: Path) -> Holder | None:
    """The process that holds this home now, if one does. Looks only; never gets into the way of who starts."""
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return None
    holder = _parsed(content)
    return holder if holder and holder.alive() else None


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone, ended, or the system does not say."""
    try:
        line = PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    state, *rest = line.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZXx" else int(rest[18])


def boot_id() -> str:
    try:
        return PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise
    return True


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _free_or_refused(handle: int, home: Path) -> bool:
    """Take the kernel's lock. Answers whether somebody left it without letting go."""
    is_free = _lock(handle)
    content = os.pread(handle, LONGEST, 0)
    left = _parsed(content)
    if not is_free or (left and left.pid != os.getpid() and left.alive()):
        raise _taken(left, home)
    return bool(content)


def _data_or_refused(data: Path | None, home: Path) -> int | None:
    if data is None:
        return None
    handle = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if _lock(handle):
        return handle
    os.close(handle)
    raise _taken(None, home)


def _parsed(content: bytes) -> Holder | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    match found:
        case {
            "pid": int() as pid,
            "started": (int() | None) as started,
            "boot": str() as boot,
            "since": (int() | float()) as since,
            "home": str() as home,
            "run": str() as run,
            "address": str() as address,
        }:
            return Holder(pid, started, boot, since, home, run, address)
        case _:
            return None


def _taken(holder: Holder | None, home: Path) -> HomeTakenError:
    if holder is None or not holder.alive():
        return HomeTakenError(
            f"Another process holds `{home}` and does not say who it is: a node that is just starting, the child of "
            "one that died, or a node whose `run/` was removed. Wait a moment, then look with `ps`.",
            home=str(home),
        )
    since = rfc3339(holder.since)
    return HomeTakenError(
        f"A node runs here already: process {holder.pid}, since {since}, home `{home}`. "
        "`thorp status` shows it, `thorp down` ends it.",
        pid=holder.pid,
        since=since,
        home=str(home),
        address=holder.address,
    )
