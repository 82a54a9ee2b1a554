import asyncio
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

from thorp.base.files import FileRefusedError
from thorp.store.database import Database
from thorp.store.failures import DatabaseClosedError, DatabaseCrowdedError
from thorp.store.readers import MOST_IDLE, MOST_LENT, Readers


def add(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO rows DEFAULT VALUES")


def count(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM rows").fetchone()[0]


def test_a_reader_cannot_write(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute("PRAGMA query_only").fetchone() == (1,)
    with pytest.raises(FileRefusedError, match="readonly"), database.read() as connection:
        add(connection)


def test_a_question_sees_one_state(database: Database) -> None:
    with database.read() as connection:
        before = count(connection)
        asyncio.run(database.write(add))
        assert count(connection) == before
    with database.read() as connection:
        assert count(connection) == before + 1


def test_a_question_is_answered_in_another_thread(database: Database) -> None:
    assert asyncio.run(database.reading(count)) == 0


def test_connections_are_used_again(database: Database) -> None:
    with database.read() as first:
        pass
    with database.read() as second:
        assert second is first


def test_a_question_that_fails_gives_its_connection_back(database: Database) -> None:
    for _ in range(MOST_LENT + 1):
        with pytest.raises(sqlite3.OperationalError, match="missing"), database.read() as connection:
            connection.execute("SELECT * FROM missing")


def test_there_is_a_bound_on_open_questions(database: Database) -> None:
    with ExitStack() as lent:
        for _ in range(MOST_LENT):
            lent.enter_context(database.read())
        with pytest.raises(DatabaseCrowdedError), database.read():
            pass
    with database.read() as connection:
        assert count(connection) == 0
    assert len(database._readers._idle) <= MOST_IDLE


def test_after_the_end_no_question_is_taken_and_open_ones_finish(database: Database) -> None:
    with database.read() as connection:
        database.close()
        assert count(connection) == 0
        with pytest.raises(DatabaseClosedError), database.read():
            pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_missing_file_is_refused_and_not_made(path: Path) -> None:
    readers = Readers(path)
    readers.start()
    for _ in range(MOST_LENT + 1):
        with pytest.raises(FileRefusedError), readers.lend():
            pass
    assert not path.exists()
