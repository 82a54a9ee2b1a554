"""One SQLite file with its writing thread, its readers and its schema, held open by one process at a time.

It never repairs or replaces a damaged file. `open`, `close`, `backup` and `check` block and belong into a thread.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Final, TypeVar

from thorp.base.clock import Clock
from thorp.base.files import DISK, FilePort, FileRefusedError, explaining, replacing
from thorp.store.failures import DamagedDatabaseError, explained, explaining_sqlite
from thorp.store.migrations import Migration, history, migrate, pending
from thorp.store.readers import Readers, connect
from thorp.store.writer import LIMITS, Durability, Job, Limits, Writer

T = TypeVar("T")
log = logging.getLogger(__name__)

LARGEST_IDLE_WAL: Final = 8 * 1024 * 1024


class Database:
    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        clock: Clock,
        files: FilePort = DISK,
        limits: Limits = LIMITS,
    ) -> None:
        self.path = path
        self.stopped_cleanly: bool | None = None  # the last time; None before `open` and for a new database
        self._migrations = migrations
        self._clock = clock
        self._files = files
        self._marker = self._beside(".open")
        self._connection: sqlite3.Connection | None = None
        self._writer = Writer(path, limits)
        self._readers = Readers(path)

    def open(self) -> None:
        """Check what an unclean stop left, bring the schema up to date, and start the writing thread."""
        with explaining("open", self.path), explaining_sqlite(self.path):
            unclean = self._files.facts(self._marker) is not None
            self.stopped_cleanly = not unclean if self._files.facts(self.path) else None
            if self.stopped_cleanly is not None:
                self._examine()
            self._mark()
            try:
                self._connection = self._connect()
            except BaseException:
                if not unclean:
                    self._files.unlink(self._marker)
                raise
        self._writer.start(self._connection)
        self._readers.start()

    def close(self) -> None:
        """Finish what waits and leave one clean file."""
        self._writer.close()
        self._readers.close()
        if self._connection is None:
            return
        with explaining("close", self.path), explaining_sqlite(self.path):
            connection, self._connection = self._connection, None
            connection.close()
            self._files.unlink(self._marker)
            self._files.sync_folder(self.path.parent)

    async def write(
        self,
        job: Job[T],
        *,
        durability: Durability = Durability.FACT,
        committed: Callable[[T], None] | None = None,
    ) -> T:
        """Run `job` in the writing thread; return its result once it is committed.

        `committed` hears the result of a commit even when nobody waits for it any more, in the order of the
        commits, in the writing thread, before anybody else hears of it.
        """
        return await self._writer.submit(job, durability, committed)

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that can only read, for a short while; it sees one state throughout."""
        return self._readers.lend()

    async def reading(self, question: Job[T]) -> T:
        """The answer to a question, read in another thread."""

        def ask() -> T:
            try:
                with self.read() as connection:
                    return question(connection)
            except StopIteration as error:
                raise explained(error, self.path) from error

        return await asyncio.to_thread(ask)

    def backup(self, target: Path) -> None:
        """A copy of this moment in one file, there whole or not at all; writing goes on meanwhile."""
        with (
            replacing(self._files, target) as draft,
            self.read() as source,
            explaining_sqlite(target),
            closing(connect(draft.path, "rw")) as copy,
        ):
            source.backup(copy)

    def check(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file; nothing when it is sound."""
        with self.read() as connection:
            return complaints(connection)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def _examine(self) -> None:
        """Refuse what must not be opened, before anything is written."""
        if self._files.facts(self._beside("-journal")):
            _settle(self.path)
        mode = "ro" if self._files.facts(self._beside("-wal")) else "ro&immutable=1"  # which makes no files beside it
        with closing(connect(self.path, mode)) as connection:
            if not self.stopped_cleanly:
                log.warning("%s was not closed properly; checking it", self.path)
                if found := complaints(connection):
                    raise DamagedDatabaseError(self.path, found[0])
            pending(history(connection, self.path), self._migrations, self.path)

    def _mark(self) -> None:
        """Say that the database is open, and make it private before SQLite writes to it."""
        for path in (self._marker, self.path):
            if self._files.facts(path) is None:
                self._files.close(self._files.create(path, 0o600))
        self._files.sync_folder(self.path.parent)

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, "rw")
        try:
            use_wal(connection, self.path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {LARGEST_IDLE_WAL}")
            migrate(connection, self._migrations, self._clock, self.path)
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Some network and fuse disks cannot share memory; there SQLite stays in another mode without a word."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise FileRefusedError(
            f"The disk that holds `{path}` cannot keep a database in WAL mode. Put Thorp's home on a local disk.",
            path=str(path),
        )


def complaints(connection: sqlite3.Connection) -> tuple[str, ...]:
    try:
        found = tuple(str(line) for (line,) in connection.execute("PRAGMA quick_check(10)"))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        return (str(error),)
    return () if found == ("ok",) else found


def _settle(path: Path) -> None:
    """Let SQLite take back what died in a database's very first moments, before its WAL existed."""
    with closing(connect(path, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
