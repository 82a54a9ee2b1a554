"""A repeatable index of receipts in a SQLite file of its own, used by several processes at once.

It holds nothing that cannot be made again: a file that is damaged or of another version is thrown away and begun anew.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

VERSION: Final = 1
LOCK_SECONDS: Final = 10.0
TABLES: Final = (
    "CREATE TABLE receipts (key TEXT PRIMARY KEY, text BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE unreadable (complaint TEXT NOT NULL) STRICT",
)


class LibraryIndex:
    """What cannot be read or written is thrown away, never an error: who looks next makes it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def texts(self) -> tuple[bytes, ...] | None:
        """Every receipt as it was written, by key; None when the index has to be made anew."""
        try:
            with self._opened("ro") as connection:
                if not _is_ours(connection):
                    return None
                rows = connection.execute("SELECT text FROM receipts ORDER BY key").fetchall()
        except sqlite3.Error:
            return None
        return tuple(text for (text,) in rows)

    def unreadable(self) -> tuple[str, ...]:
        """What could not be read as a receipt when the index was made."""
        with suppress(sqlite3.Error), self._opened("ro") as connection:
            if _is_ours(connection):
                return tuple(text for (text,) in connection.execute("SELECT complaint FROM unreadable"))
        return ()

    def put(self, key: str, text: bytes) -> None:
        """Repeat a receipt, which is on disk already."""
        self._change("INSERT OR REPLACE INTO receipts VALUES (?, ?)", (key, text))

    def drop(self, key: str) -> None:
        self._change("DELETE FROM receipts WHERE key = ?", (key,))

    def replace(self, read: Callable[[], tuple[Iterable[tuple[str, bytes]], Iterable[str]]]) -> None:
        """Begin anew. `read` is called while nobody else can write, so nothing that others put is lost.

        It answers with receipts by key, and with complaints about what cannot be read as one.
        """
        for _ in range(2):  # the second time in a new file
            with suppress(OSError):  # there is no home yet, or it is read-only: nothing is kept
                self._path.touch(0o600)
            try:
                with self._opened("rwc") as connection, transaction(connection):
                    _begin_anew(connection)
                    receipts, complaints = read()
                    connection.executemany("INSERT OR REPLACE INTO receipts VALUES (?, ?)", receipts)
                    connection.executemany("INSERT INTO unreadable VALUES (?)", ((one,) for one in complaints))
            except sqlite3.Error:
                self._throw_away()
            else:
                return

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        if not self._path.exists():
            return  # one row would pass for a whole index
        try:
            with self._opened("rw") as connection, transaction(connection):
                ours = _is_ours(connection)
                if ours:
                    connection.execute(statement, values)
        except sqlite3.Error:
            ours = False
        if not ours:
            self._throw_away()

    @contextmanager
    def _opened(self, mode: str) -> Generator[sqlite3.Connection]:
        where = f"{self._path.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(where, uri=True, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            yield connection

    def _throw_away(self) -> None:
        for ending in ("-journal", "-wal", "-shm", ""):  # the file last: no other one may meet its journal
            with suppress(OSError):
                self._path.with_name(self._path.name + ending).unlink()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _is_ours(connection: sqlite3.Connection) -> bool:
    return connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def _begin_anew(connection: sqlite3.Connection) -> None:
    for table in ("receipts", "unreadable"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
