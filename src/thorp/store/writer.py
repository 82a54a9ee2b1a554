"""One thread that writes, many that wait: all waiting jobs share one commit, and each is told only after it.

A job runs in a savepoint of its own, so that its failure is its own. A job must not begin or end transactions,
which includes `with connection:` and `executescript`.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
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
Tell = Callable[[], None]

ROOM: Final = 4096  # jobs that may wait; more means the disk has been slower than the node for seconds
BATCH: Final = 512  # jobs in one commit; bounds how long the first of them waits for the last


class Durability(StrEnum):
    """What an acknowledgement promises. The words are SQLite's levels of `synchronous`."""

    FACT = "FULL"  # on disk; survives power loss
    TELEMETRY = "NORMAL"  # survives a crash of the node; power loss may take the last seconds


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """A job, and the one who waits for it."""

    job: Job[T]
    durability: Durability
    future: Future[T]

    def perform(self, connection: sqlite3.Connection, path: Path) -> Tell:
        """Run the job; the answer tells its outcome, and is kept until the commit stands."""
        connection.execute("SAVEPOINT job")
        try:
            result = self.job(connection)
        except BaseException as error:  # noqa: BLE001  (a border: the failure belongs to who asked, the thread to all)
            _still_ours(connection, error)
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            return partial(self.future.set_exception, explained(error, path))
        _still_ours(connection, None)
        connection.execute("RELEASE job")
        return partial(self.future.set_result, result)


def _still_ours(connection: sqlite3.Connection, error: BaseException | None) -> None:
    """Stop the batch when its transaction is gone; SQLite takes it back when the disk fails."""
    if connection.in_transaction:
        return
    if isinstance(error, sqlite3.Error):
        raise error
    raise BrokenJobError("A job ended the transaction it was lent; report this as a bug.") from error


class Writer:
    """Owns the writing connection from `start` to `close`."""

    def __init__(self, path: Path, *, room: int = ROOM, batch: int = BATCH) -> None:
        self._path = path
        self._room = room
        self._batch = batch
        self._waiting: deque[Order[Any]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._level: Durability | None = None

    def start(self, connection: sqlite3.Connection) -> None:
        # A daemon, so that a process that forgets to close still ends; what was acknowledged is on disk by then.
        self._thread = threading.Thread(
            target=self._run, args=(connection,), name=f"{self._path.name} writer", daemon=True
        )
        self._thread.start()

    def submit(self, job: Job[T], durability: Durability, committed: Callable[[T], None] | None = None) -> Future[T]:
        """Queue a job. `committed` hears its result in the writer thread, in the order of the commits."""
        future: Future[T] = Future()
        if committed:
            future.add_done_callback(partial(_pass_on, committed))
        with self._changed:
            if self._thread is None:
                raise closed(self._path)
            if len(self._waiting) >= self._room:
                raise DatabaseCrowdedError(
                    f"{self._room} writes wait for `{self._path}` already. Try again in a moment.", retry_after=1
                )
            self._waiting.append(Order(job, durability, future))
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
            return [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]

    def _serve(self, connection: sqlite3.Connection, batch: Sequence[Order[Any]]) -> None:
        orders = [order for order in batch if order.future.set_running_or_notify_cancel()]
        try:
            tells = self._commit(connection, orders)
        except (sqlite3.Error, ThorpError) as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")  # often SQLite has done so itself
            tells = [partial(order.future.set_exception, explained(error, self._path)) for order in orders]
        for tell in tells:
            tell()

    def _commit(self, connection: sqlite3.Connection, orders: Sequence[Order[Any]]) -> list[Tell]:
        level = (
            Durability.FACT if any(order.durability is Durability.FACT for order in orders) else Durability.TELEMETRY
        )
        if level is not self._level:
            connection.execute(f"PRAGMA synchronous = {level}")
            self._level = level
        connection.execute("BEGIN IMMEDIATE")
        tells = [order.perform(connection, self._path) for order in orders]
        connection.execute("COMMIT")
        return tells


def _pass_on(committed: Callable[[T], None], future: Future[T]) -> None:
    if not future.cancelled() and future.exception() is None:
        committed(future.result())
