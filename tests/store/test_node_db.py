"""Databases of every schema there ever was still open. The dumps in `fixtures` are kept for ever and never edited."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from thorp.identity.grants import KeyGrant, SessionGrant
from thorp.identity.scopes import Scope
from thorp.store.database import Database
from thorp.store.migrations import Migration
from thorp.store.node_db import NODE_MIGRATIONS
from thorp.store.shelves import SqliteClaimShelf, SqliteKeyShelf, SqliteSessionShelf
from thorp.testing.clock import FakeClock

FIXTURES = Path(__file__).with_name("fixtures")
VERSIONS = range(1, len(NODE_MIGRATIONS) + 1)

KEYS = (
    KeyGrant("kabcdefgh", "laptop", bytes(32), frozenset({Scope.INFERENCE, Scope.MODELS_READ}), 1700000000.5),
    KeyGrant(
        "k01234567", "Büro; 'x'", b"\xff" * 32, frozenset(), 1700000001.0, ("m*",), 60, 1800000000.0, 1700000002.0
    ),
)
SESSIONS = (
    SessionGrant("sabcdefgh", b"\x01" * 32, 1700000003.0, 1702592003.0),
    SessionGrant("s01234567", b"\x02" * 32, 1700000004.0, 1702592004.0, 1700000005.0),
)


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database built from the dump of an old schema."""
    path = tmp_path / "thorp.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"thorp-db-{request.param}.sql").read_text())
    return path


@pytest.mark.parametrize("more", [(), (Migration(len(NODE_MIGRATIONS) + 1, "to come", "CREATE TABLE later (x)"),)])
def test_C45_an_old_node_database_is_migrated_with_everything_in_it(old: Path, more: tuple[Migration, ...]) -> None:
    database = Database(old, (*NODE_MIGRATIONS, *more), FakeClock())
    database.open()
    keys, sessions = SqliteKeyShelf(database), SqliteSessionShelf(database)
    asyncio.run(keys.load())
    asyncio.run(sessions.load())
    assert keys.keys() == KEYS
    assert sessions.sessions() == SESSIONS
    assert SqliteClaimShelf(sessions).claimed()
    assert database.check() == ()
    database.close()


def test_every_schema_has_its_dump() -> None:
    assert {file.name for file in FIXTURES.iterdir()} == {f"thorp-db-{version}.sql" for version in VERSIONS}
