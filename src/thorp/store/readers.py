"""A few connections that can only read, lent for short questions. Each question sees one unchanging state."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from thorp.store.failures import DatabaseCrowdedError, closed, explaining_sqlite

MOST_LENT: Final = 32  # at once; a thread pool asks fewer, so more means somebody forgot to give back
MOST_IDLE: Final = 4
LOCK_SECONDS: Final = 5.0


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection in autocommit mode, to a file that exists; `mode` is SQLite's: rw, ro, ro&immutable=1."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


class Readers:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._lent = 0
        self._open = False

    def start(self) -> None:
        self._open = True

    @contextmanager
    def lend(self) -> Generator[sqlite3.Connection]:
        with explaining_sqlite(self._path):
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is still lent closes when it comes back."""
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if not self._open:
                raise closed(self._path)
            if self._lent >= MOST_LENT:
                raise DatabaseCrowdedError(
                    f"{MOST_LENT} questions to `{self._path}` are open already. Try again in a moment.", retry_after=1
                )
            connection = self._idle.pop() if self._idle else _reading(self._path)
            self._lent += 1
            return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        with self._lock:
            self._lent -= 1
            keep = self._open and len(self._idle) < MOST_IDLE and not connection.in_transaction
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()


def _reading(path: Path) -> sqlite3.Connection:
    connection = connect(path, "ro")
    connection.execute("PRAGMA query_only = ON")
    return connection
