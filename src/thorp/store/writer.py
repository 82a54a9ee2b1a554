"""One thread that writes, many that wait: all waiting jobs share one commit, and each is told only after it.

A job runs in a savepoint of its own, so that its failure is its own. A job must not begin or end transactions,
which includes `with connection:` and `executescript`.
"""

import asyncio
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from thorp.base.errors import ThorpError
from thorp.store.failures import BrokenJobError, DatabaseCrowdedError, closed, explained

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class Limits:
    room: int = 4096  # jobs that may wait; more means the disk has been slower than the node for seconds
    batch: int = 512  # jobs in one commit; bounds how long the first of them waits for the last


LIMITS: Final = Limits()


class Durability(StrEnum):
    """What an acknowledgement promises. The words are SQLite's levels of `synchronous`."""

    FACT = "FULL"  # on disk; survives power loss
    TELEMETRY = "NORMAL"  # survives a crash of the node; power loss may take the last seconds


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """A job, and the one who waits for it."""

    job: Job[T]
    durability: Durability
    committed: Callable[[T], None] | None
    future: asyncio.Future[T]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended, kept until the commit stands."""

    result: Any = None
    error: BaseException | None = None


Told = tuple[asyncio.Future[Any], Outcome]


class Writer:
    """Owns the writing connection from `start` to `close`."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._waiting: deque[Order[Any]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._level: Durability | None = None

    def start(self, connection: sqlite3.Connection) -> None:
        self._level = None
        # A daemon, so that a process that forgets to close still ends; what was acknowledged is on disk by then.
        name = f"{self._path.name} writer"
        self._thread = threading.Thread(target=self._run, args=(connection,), name=name, daemon=True)
        self._thread.start()

    def submit(
        self, job: Job[T], durability: Durability, committed: Callable[[T], None] | None = None
    ) -> asyncio.Future[T]:
        """Queue a job. `committed` hears its result in the writer thread, in the order of the commits."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._thread is None:
                raise closed(self._path)
            if len(self._waiting) >= self._limits.room:
                raise DatabaseCrowdedError(
                    f"{self._limits.room} writes wait for `{self._path}` already. Try again in a moment.", retry_after=1
                )
            self._waiting.append(Order(job, durability, committed, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Take nothing new, finish what waits, and return when the thread has ended."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread:
            thread.join()

    def _run(self, connection: sqlite3.Connection) -> None:
        while batch := self._next_batch():
            self._serve(connection, batch)

    def _next_batch(self) -> list[Order[Any]]:
        """Wait for work; an empty batch is the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._thread is None)
            return [self._waiting.popleft() for _ in range(min(self._limits.batch, len(self._waiting)))]

    def _serve(self, connection: sqlite3.Connection, batch: Sequence[Order[Any]]) -> None:
        orders = [order for order in batch if not order.future.cancelled()]
        try:
            outcomes = self._commit(connection, orders)
        except (sqlite3.Error, ThorpError) as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")  # often SQLite has done so itself
            outcomes = [Outcome(error=explained(error, self._path)) for _ in orders]
        _tell([(order.future, _passed_on(order, outcome)) for order, outcome in zip(orders, outcomes, strict=True)])

    def _commit(self, connection: sqlite3.Connection, orders: Sequence[Order[Any]]) -> list[Outcome]:
        level = (
            Durability.FACT if any(order.durability is Durability.FACT for order in orders) else Durability.TELEMETRY
        )
        if level is not self._level:
            connection.execute(f"PRAGMA synchronous = {level}")
            self._level = level
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_performed(order.job, connection, self._path) for order in orders]
        connection.execute("COMMIT")
        return outcomes


def _performed(job: Job[Any], connection: sqlite3.Connection, path: Path) -> Outcome:
    connection.execute("SAVEPOINT job")
    outcome = _attempt(partial(job, connection))
    if not connection.in_transaction:  # SQLite takes back the whole batch when the disk fails
        if isinstance(outcome.error, sqlite3.Error):
            raise outcome.error
        raise BrokenJobError("A job ended the transaction it was lent; report this as a bug.") from outcome.error
    if outcome.error is not None:
        connection.execute("ROLLBACK TO job")
        outcome = Outcome(error=explained(outcome.error, path))
    connection.execute("RELEASE job")
    return outcome


def _passed_on(order: Order[Any], outcome: Outcome) -> Outcome:
    """The outcome, heard by `committed` first."""
    if order.committed is None or outcome.error is not None:
        return outcome
    return Outcome(outcome.result, _attempt(partial(order.committed, outcome.result)).error)


def _attempt(call: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(call())
    except BaseException as error:  # noqa: BLE001  (a border: the failure belongs to who asked, the thread to all)
        return Outcome(error=error)


def _tell(told: Sequence[Told]) -> None:
    """Tell everybody, with one wake-up for each event loop."""
    loops: defaultdict[asyncio.AbstractEventLoop, list[Told]] = defaultdict(list)
    for future, outcome in told:
        loops[future.get_loop()].append((future, outcome))
    for loop, share in loops.items():
        with suppress(RuntimeError):  # that loop has closed; nobody waits there any more
            loop.call_soon_threadsafe(_settle, share)


def _settle(told: Sequence[Told]) -> None:
    for future, outcome in told:
        if future.done():
            continue  # given up meanwhile
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
