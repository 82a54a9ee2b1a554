"""Databases for tests: a one-table schema, opened and always closed again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from thorp.store.database import Database
from thorp.store.migrations import Migration
from thorp.testing.clock import FakeClock

ROWS = (Migration(1, "rows", "CREATE TABLE rows (id INTEGER PRIMARY KEY, word TEXT UNIQUE) STRICT"),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """A new database with the table `rows`, open."""
    database = Database(path, ROWS, FakeClock())
    database.open()
    yield database
    database.close()


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A bare connection in autocommit mode."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
