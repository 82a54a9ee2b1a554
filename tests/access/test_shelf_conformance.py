"""One suite, every driver of the shelf ports."""

import asyncio
from pathlib import Path

import pytest

from thorp.store.database import Database
from thorp.store.node_db import NODE_MIGRATIONS
from thorp.store.shelves import SqliteClaimShelf, SqliteKeyShelf, SqliteSessionShelf
from thorp.testing.clock import FakeClock
from thorp.testing.shelves import EVERY_CHECK, Check, Shelves, memory_shelves

every_check = pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.__name__)


@every_check
def test_shelves_in_memory_keep_the_promises_of_the_ports(check: Check) -> None:
    asyncio.run(check(memory_shelves()))


async def sqlite_shelves(database: Database) -> Shelves:
    keys, sessions = SqliteKeyShelf(database), SqliteSessionShelf(database)
    await keys.load()
    await sessions.load()
    return Shelves(keys, sessions, SqliteClaimShelf(sessions))


@every_check
def test_shelves_in_sqlite_keep_the_promises_of_the_ports(check: Check, tmp_path: Path) -> None:
    database = Database(tmp_path / "thorp.db", NODE_MIGRATIONS, FakeClock())
    database.open()
    try:
        asyncio.run(checked(check, database))
    finally:
        database.close()


async def checked(check: Check, database: Database) -> None:
    """What the check left is what the next start finds."""
    before = await sqlite_shelves(database)
    await check(before)
    after = await sqlite_shelves(database)
    assert after.keys.keys() == before.keys.keys()
    assert after.sessions.sessions() == before.sessions.sessions()
    assert after.claims.claimed() == before.claims.claimed()
