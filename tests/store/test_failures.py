import sqlite3
from pathlib import Path

import pytest

from thorp.base.errors import ThorpError
from thorp.base.files import DiskFullError, FileFaultError, FileRefusedError
from thorp.store.failures import (
    BrokenJobError,
    DamagedDatabaseError,
    DatabaseLockedError,
    explained,
    explaining_sqlite,
)

PATH = Path("/data/thorp.db")


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "family"),
    [
        (sqlite3.SQLITE_FULL, DiskFullError),
        (sqlite3.SQLITE_IOERR_SHMSIZE, DiskFullError),  # what a full disk says when the index of a WAL is made
        (sqlite3.SQLITE_CORRUPT, DamagedDatabaseError),
        (sqlite3.SQLITE_NOTADB, DamagedDatabaseError),
        (sqlite3.SQLITE_BUSY, DatabaseLockedError),
        (sqlite3.SQLITE_READONLY, FileRefusedError),
        (sqlite3.SQLITE_CANTOPEN, FileRefusedError),
        (sqlite3.SQLITE_IOERR_FSYNC, FileFaultError),  # an extended code
    ],
)
def test_each_failure_of_the_disk_has_its_family_and_names_the_file(code: int, family: type[ThorpError]) -> None:
    error = sqlite_error(code)
    ours = explained(error, PATH)
    assert type(ours) is family
    assert str(PATH) in str(ours)
    assert ours.__cause__ is error


def test_what_a_job_did_wrong_passes_unchanged() -> None:
    for error in (sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE), sqlite3.ProgrammingError("no code"), ValueError("x")):
        assert explained(error, PATH) is error


def test_the_end_of_an_iterator_becomes_an_error_a_future_can_carry() -> None:
    assert isinstance(explained(StopIteration(), PATH), BrokenJobError)


def test_a_damaged_database_names_the_remedy() -> None:
    def work() -> None:
        with explaining_sqlite(PATH):
            raise sqlite_error(sqlite3.SQLITE_CORRUPT)

    with pytest.raises(DamagedDatabaseError, match="restore a backup, or move the file"):
        work()
