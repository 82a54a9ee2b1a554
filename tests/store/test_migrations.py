import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import thorp
from thorp.base.errors import ConflictError, IntegrityError
from thorp.store.migrations import (
    Applied,
    Migration,
    NewerDatabaseError,
    SchemaHistoryError,
    history,
    migrate,
    pending,
    statements,
)
from thorp.testing.clock import FakeClock

ONE = Migration(1, "one", "CREATE TABLE one (x INTEGER); INSERT INTO one VALUES (1);")
TWO = Migration(2, "two", "ALTER TABLE one ADD COLUMN y TEXT; UPDATE one SET y = 'a;b';")
THREE = Migration(3, "three", "CREATE TABLE three (x INTEGER)")
PATH = Path("/data/test.db")


def applied(*migrations: Migration) -> tuple[Applied, ...]:
    return tuple(Applied(one.number, one.checksum) for one in migrations)


def dump(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


def test_a_new_database_gets_every_step(connection: sqlite3.Connection, path: Path) -> None:
    assert migrate(connection, (ONE, TWO, THREE), FakeClock(), path) == 3
    assert history(connection, path) == applied(ONE, TWO, THREE)
    assert connection.execute("SELECT x, y FROM one").fetchall() == [(1, "a;b")]
    assert connection.execute("SELECT applied FROM migrations").fetchone() == (FakeClock().wall(),)


def test_C45_an_old_database_is_brought_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, (ONE,), FakeClock(), path)
    assert migrate(connection, (ONE, TWO), FakeClock(), path) == 2
    assert connection.execute("SELECT x, y FROM one").fetchall() == [(1, "a;b")]


def test_nothing_happens_when_nothing_waits(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, (ONE,), FakeClock(), path)
    before = dump(connection)
    migrate(connection, (ONE,), FakeClock(), path)
    assert dump(connection) == before


def test_C45_a_newer_database_is_refused_untouched(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, (ONE, TWO), FakeClock(), path)
    before = dump(connection)
    with pytest.raises(NewerDatabaseError, match="has schema 2, this Thorp knows 1") as caught:
        migrate(connection, (ONE,), FakeClock(), path)
    assert isinstance(caught.value, ConflictError)
    assert dump(connection) == before
    assert not connection.in_transaction


def test_an_edited_old_step_is_refused_untouched(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, (ONE,), FakeClock(), path)
    before = dump(connection)
    with pytest.raises(SchemaHistoryError, match=r"migration 1 \(one\) was applied with other content") as caught:
        migrate(connection, (replace(ONE, sql=ONE.sql + " "), TWO), FakeClock(), path)
    assert isinstance(caught.value, IntegrityError)
    assert dump(connection) == before


def test_C45_a_step_that_fails_leaves_the_ones_before_it_and_is_resumed(
    connection: sqlite3.Connection, path: Path
) -> None:
    broken = replace(TWO, sql="CREATE TABLE two (x); INSERT INTO two VALUES (1); INSERT INTO missing VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="missing"):
        migrate(connection, (ONE, broken, THREE), FakeClock(), path)
    assert history(connection, path) == applied(ONE)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'two'").fetchall() == []
    assert migrate(connection, (ONE, TWO, THREE), FakeClock(), path) == 3


DIES = """
import os, signal, sqlite3, sys
from pathlib import Path
from thorp.base.clock import SystemClock
from thorp.store.migrations import Migration, migrate

path = Path(sys.argv[1])
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
steps = [Migration(int(number), name, sql) for number, name, sql in zip(*[iter(sys.argv[2:])] * 3)]
migrate(connection, steps, SystemClock(), path)
"""


def test_C45_a_step_that_was_killed_half_way_is_taken_back_and_resumed(path: Path) -> None:
    dying = replace(TWO, sql="CREATE TABLE two (x); INSERT INTO two VALUES (1); SELECT die();")
    steps = [str(part) for one in (ONE, dying) for part in (one.number, one.name, one.sql)]
    environment = os.environ | {"PYTHONPATH": str(Path(thorp.__file__).parents[1])}
    child = subprocess.run([sys.executable, "-c", DIES, str(path), *steps], env=environment, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert history(connection, path) == applied(ONE)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'two'").fetchall() == []
        assert migrate(connection, (ONE, TWO), FakeClock(), path) == 2


def test_two_processes_that_migrate_do_each_step_once(path: Path) -> None:
    class Meanwhile(FakeClock):
        """While step 1 is being recorded, another process waits for the lock and gets nothing."""

        def wall(self) -> float:
            locked = pytest.raises(sqlite3.OperationalError, match="locked")
            with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other, locked:
                migrate(other, (ONE, TWO), FakeClock(), path)
            return super().wall()

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert migrate(connection, (ONE, TWO), Meanwhile(), path) == 2


def test_a_foreign_database_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("CREATE TABLE bookmarks (x)")
    before = dump(connection)
    with pytest.raises(SchemaHistoryError, match="not one of Thorp's"):
        migrate(connection, (ONE,), FakeClock(), path)
    assert dump(connection) == before


def test_what_waits_is_what_was_not_applied() -> None:
    assert pending((), (ONE, TWO), PATH) == (ONE, TWO)
    assert pending(applied(ONE), (ONE, TWO), PATH) == (TWO,)
    assert pending(applied(ONE, TWO), (ONE, TWO), PATH) == ()


def test_a_gap_is_refused_on_both_sides() -> None:
    with pytest.raises(SchemaHistoryError, match="lacks its own migration 2"):
        pending((), (ONE, THREE), PATH)
    with pytest.raises(SchemaHistoryError, match="migration 2 was never applied"):
        pending(applied(ONE, THREE), (ONE, TWO, THREE), PATH)


def test_a_script_is_cut_into_statements() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END;"
    script = f"-- a; comment\nSELECT 'x;y';\n{trigger}\n/* ; */ SELECT 1"
    assert [one.strip() for one in statements(script)] == [
        "-- a; comment\nSELECT 'x;y';",
        trigger,
        "/* ; */ SELECT 1\n;",
    ]
    assert list(statements(" \n;; ")) == []


def test_a_script_that_ends_half_way_is_refused() -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        list(statements("SELECT 1; SELECT 'x"))


def test_a_trailing_comment_is_harmless(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, (replace(ONE, sql=ONE.sql + "\n-- the end"),), FakeClock(), path)
