"""Fetches one file in several ranges at once, and hashes it on the way, in one pass and without a second read.

Ranges are dealt in file order inside a window. Each is read into a buffer, written to the partial, and handed to the
hashers when its turn comes. Everything here blocks and runs in threads of its own; `stop` ends all of them.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final, ParamSpec

from thorp.base.errors import (
    IntegrityError,
    NetworkError,
    NotAllowedError,
    NotFoundError,
    ThorpError,
    TryAgainError,
)
from thorp.models.budget import Budget, allowed, pay
from thorp.models.hashing import Hashes, Pieces
from thorp.models.partial import BLOCK, Partial
from thorp.models.ports import ByteSource, Stop
from thorp.models.turns import Turns
from thorp.models.types import Wanted

log = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")
SEGMENT: Final = 8 * BLOCK
WINDOW: Final = 128 * BLOCK  # how far the fastest range may be ahead of the slowest, and so how much memory it takes
STEP: Final = BLOCK  # bytes asked of the line at once
TICK: Final = 0.15  # seconds between two notes of how far it is
SYNC_EVERY: Final = 12  # ticks
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds after failures in a row; the one after the last is the end
OTHER_THREADS: Final = 3  # two that hash, one that syncs
LONGEST_WAIT: Final = 300.0  # seconds; who asks for more of it is told to come again


class TransferEndedError(TryAgainError):
    """A transfer that was told to end before it was whole."""

    code = "models.transfer_ended"


def told_to_end() -> TransferEndedError:
    return TransferEndedError("The transfer was told to end; what is here stays.")


class LineEndedError(NetworkError):
    """A source that ended its answer in the middle."""

    code = "models.line_ended"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a file is fetched."""

    ranges: int = 4
    pauses: tuple[float, ...] = PAUSES
    budgets: tuple[Budget, ...] = ()
    mix: str = "auto"  # when others may help neighbours: auto, always, never


@dataclass(eq=False, slots=True)
class Segment:
    number: int
    first: int
    end: int
    buffer: bytearray = field(default_factory=bytearray)

    @property
    def view(self) -> memoryview:
        return memoryview(self.buffer)[: self.end - self.first]


@dataclass(eq=False, slots=True)
class Filling:
    """Missing bytes on their way into a buffer. They begin at the start of a block."""

    into: memoryview
    first: int
    got: int = 0

    @property
    def at(self) -> int:
        return self.first + self.got

    @property
    def end(self) -> int:
        return self.first + len(self.into)

    @property
    def rest(self) -> memoryview:
        return self.into[self.got :]

    @property
    def full(self) -> bool:
        return self.got == len(self.into)


class Window:
    """Deals segments in order, keeps the fastest range near the slowest, and hands them in order to each hasher."""

    def __init__(self, size: int, hashers: int) -> None:
        self._size = size
        self._count = -(-size // SEGMENT)
        self._next = 0
        self._turns = [0] * hashers  # whose turn it is at each hasher
        self._filled: dict[int, Segment] = {}
        self._free: list[bytearray] = []
        self._changed = threading.Condition()
        self.failure: BaseException | None = None
        self.ends = threading.Event()  # all of it is hashed, or the work has failed: nobody waits for anything more
        if not self._count:
            self.ends.set()

    @property
    def count(self) -> int:
        return self._count

    def deal(self) -> Segment | None:
        """The next segment to fill; None when there is none, or the work has failed."""
        with self._changed:
            self._changed.wait_for(lambda: self.failure or self._next < min(self._turns) + WINDOW // SEGMENT)
            if self.failure or self._next >= self._count:
                return None
            number = self._next
            self._next += 1
            buffer = self._free.pop() if self._free else bytearray(min(SEGMENT, self._size))
        first = number * SEGMENT
        return Segment(number, first, min(first + SEGMENT, self._size), buffer)

    def filled(self, segment: Segment) -> None:
        with self._changed:
            self._filled[segment.number] = segment
            self._changed.notify_all()

    def in_order(self, hasher: int) -> Iterator[memoryview]:
        """Every segment as soon as it is filled and all before it were handed out; fewer when the work has failed."""
        for number in range(self._count):
            with self._changed:
                self._changed.wait_for(lambda number=number: self.failure or number in self._filled)
                if self.failure:
                    return
                segment = self._filled[number]
            yield segment.view
            self._passed(hasher, segment)

    def _passed(self, hasher: int, segment: Segment) -> None:
        with self._changed:
            self._turns[hasher] += 1
            if min(self._turns) > segment.number:  # the last one through
                self._free.append(self._filled.pop(segment.number).buffer)
                if min(self._turns) == self._count:
                    self.ends.set()
                self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """The first failure counts; everybody else ends."""
        with self._changed:
            self.failure = self.failure or error
            self.ends.set()
            self._changed.notify_all()


class Whole:
    """SHA-256 of a file, and for one that git names the hash that git gives it."""

    def __init__(self, size: int, *, git: bool) -> None:
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False) if git else None

    def update(self, data: memoryview) -> None:
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    def digests(self) -> tuple[str, str]:
        return self._sha256.hexdigest(), self._git.hexdigest() if self._git is not None else ""


class FileFetch:
    """One file into one partial."""

    def __init__(self, wanted: Wanted, partial: Partial, sources: Sequence[ByteSource], pace: Pace, stop: Stop) -> None:
        self._wanted = wanted
        self._partial = partial
        self._turns = Turns(sources)
        self._pace = pace
        self._stop = stop
        self._whole, self._pieces = Whole(wanted.file.size, git=wanted.file.named_by_git), Pieces()
        self._window = Window(wanted.file.size, hashers=2)
        self._lock = threading.Lock()
        self.waits_for = ""  # what it waits for, for people

    @property
    def gave(self) -> frozenset[ByteSource]:
        """Who sent any of the bytes that this fetch brought."""
        return self._turns.gave

    def run(self, told: Callable[[], None]) -> Hashes:
        """Fetch what is missing, hash everything; `told` is called a few times a second. The partial is open."""
        ranges = max(1, min(self._pace.ranges, self._window.count))
        with ThreadPoolExecutor(ranges + OTHER_THREADS, "fetch") as threads:
            hashers = (self._whole.update, self._pieces.update)
            work = [self._begin(threads, self._hash, number, hasher) for number, hasher in enumerate(hashers)]
            work += [self._begin(threads, self._work) for _ in range(ranges)]
            try:
                self._watch(threads, told)
            except BaseException as error:
                self._window.fail(error)  # so that nobody goes on fetching for a caller that is gone
                raise
            finally:
                wait(work)
                self._partial.note()
        if self._window.failure is not None:
            raise self._window.failure
        return Hashes(*self._whole.digests(), self._pieces.digest(), self._wanted.file.size)

    def _begin(
        self,
        threads: ThreadPoolExecutor,
        work: Callable[Arguments, None],
        *given: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Future[None]:
        """Run in a thread of its own; its failure is the failure of the whole."""
        future = threads.submit(work, *given, **named)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[None]) -> None:
        if (error := future.exception()) is not None:
            self._window.fail(error)

    def _watch(self, threads: ThreadPoolExecutor, told: Callable[[], None]) -> None:
        ticks = 0
        syncing: Future[None] | None = None
        while not self._window.ends.wait(TICK):
            if self._stop.is_set():
                self._window.fail(told_to_end())
            ticks += 1
            self._partial.note()
            told()
            if ticks % SYNC_EVERY == 0 and (syncing is None or syncing.done()):
                syncing = self._begin(threads, self._partial.sync)

    def _work(self) -> None:
        while (segment := self._window.deal()) is not None:
            self._fill(segment)
            self._window.filled(segment)

    def _hash(self, hasher: int, update: Callable[[memoryview], None]) -> None:
        for data in self._window.in_order(hasher):
            update(data)

    def _fill(self, segment: Segment) -> None:
        """Read what is here already, fetch the rest."""
        for run in tuple(self._partial.blocks.runs(segment.first, segment.end)):
            into = segment.view[run.first - segment.first : run.end - segment.first]
            if run.here:
                self._partial.read(into, run.first)
            else:
                head = min(self._partial.blocks.head(run.first), len(into))
                self._partial.read(into[:head], run.first)
                self._fetch(Filling(into, run.first, head))

    def _fetch(self, filling: Filling) -> None:
        """Fetch until all of it is here, over as many lines as it takes.

        Who does not have it, or has something else, is not asked again; that is the end only when nobody is left.
        """
        failures = 0
        while not filling.full:
            before, source = filling.got, self._turns.first()
            try:
                self._read(source, filling)
            except (NetworkError, TryAgainError) as error:
                self._check_going_on()
                failures = 0 if filling.got > before else failures
                if not self._turns.failed(source):
                    failures += 1
                    self._wait(error, failures)
            except (NotFoundError, NotAllowedError, IntegrityError) as error:
                self._check_going_on()
                self._turns.refused(source, error)
                log.info("%s: passed over: %s", self._wanted.file.path, error.message)

    def _read(self, source: ByteSource, filling: Filling) -> None:
        with source.read(self._wanted, filling.at, filling.end, self._window.ends) as line:
            while not filling.full:
                self._check_going_on()
                count = line.readinto(filling.rest[: allowed(self._pace.budgets, STEP)])
                if not count:
                    raise LineEndedError(f"{source.detail} ended its answer before it was whole.")
                self._came(source, filling, count)

    def _came(self, source: ByteSource, filling: Filling, count: int) -> None:
        self._partial.write(filling.rest[:count], filling.at)
        filling.got += count
        self.waits_for = ""
        self._turns.came(source)
        with self._lock:
            self._partial.came(source.kind, filling.first, filling.at, count)
        pay(self._pace.budgets, count, self._window.ends)

    def _wait(self, error: ThorpError, failures: int) -> None:
        """Rest before the next try; raises the error itself when it is one too many."""
        asked = error.retry_after or 0.0
        if failures > len(self._pace.pauses) or asked > LONGEST_WAIT:
            raise error
        seconds = max(asked, self._pace.pauses[failures - 1])
        log.info("%s: %s Trying again in %.1f s.", self._wanted.file.path, error.message, seconds)
        self.waits_for = error.message
        self._window.ends.wait(seconds)
        self._check_going_on()

    def _check_going_on(self) -> None:
        if self._window.failure is not None:
            raise told_to_end()
