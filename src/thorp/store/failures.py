"""SQLite's errors in our words. What a job did wrong by itself, such as breaking a constraint, passes unchanged."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from thorp.base.errors import BusyError, IntegrityError, InternalError, ThorpError, TryAgainError
from thorp.base.files import DiskFullError, FileFaultError, FileRefusedError

PRIMARY: Final = 0xFF  # the low byte of an extended result code
NO_ROOM_FOR_INDEX: Final = (
    sqlite3.SQLITE_IOERR_SHMSIZE
)  # of the WAL; SQLite calls it an I/O error, and the disk is full


class DamagedDatabaseError(IntegrityError):
    """A database file whose content makes no sense."""

    code = "store.damaged"

    def __init__(self, path: Path, complaint: str) -> None:
        super().__init__(
            f"The database `{path}` is damaged: {complaint}. It was left as it is. "
            "Stop the node and restore a backup, or move the file and its `-wal` aside to start with an empty one.",
            path=str(path),
        )


class DatabaseClosedError(TryAgainError):
    """The node is stopping, or has not started yet."""

    code = "store.closed"


def closed(path: Path) -> DatabaseClosedError:
    return DatabaseClosedError(f"`{path}` is not open now. Try again when the node runs.", retry_after=1)


class DatabaseLockedError(TryAgainError):
    """Another program holds the database."""

    code = "store.locked"


class DatabaseCrowdedError(BusyError):
    """More work waits for the database than it may."""

    code = "store.crowded"


class BrokenJobError(InternalError):
    """A job broke the rules of the thread that ran it."""

    code = "store.broken_job"


def explained(error: BaseException, path: Path) -> BaseException:
    """The error to hand to whoever asked."""
    if isinstance(error, StopIteration):  # an awaiter would wait for ever: it cannot be raised into a future
        return BrokenJobError("A job asked for a row that is not there; report this as a bug.")
    code: object = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or not isinstance(code, int):
        return error
    ours = _in_our_words(code if code == NO_ROOM_FOR_INDEX else code & PRIMARY, str(error), path)
    if ours is None:
        return error
    ours.__cause__ = error
    return ours


def _in_our_words(code: int, words: str, path: Path) -> ThorpError | None:
    match code:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR_SHMSIZE:
            return DiskFullError(
                f"Cannot write to `{path}`: {words}. "
                "Free some space there and try again; what was acknowledged is safe.",
                path=str(path),
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DamagedDatabaseError(path, words)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseLockedError(
                f"Another program keeps `{path}` locked. Close it and try again.", retry_after=1, path=str(path)
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return FileRefusedError(
                f"Cannot use `{path}`: {words}. Check who owns it and its folder, and whether the disk is read-only.",
                path=str(path),
            )
        case sqlite3.SQLITE_IOERR:
            return FileFaultError(
                f"The disk failed under `{path}`: {words}. Check the disk's health and the system's log.",
                path=str(path),
            )
        case _:
            return None


@contextmanager
def explaining_sqlite(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, path) from error
