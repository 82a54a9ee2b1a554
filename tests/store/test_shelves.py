import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from thorp.store.database import Database
from thorp.store.node_db import NODE_MIGRATIONS
from thorp.store.shelves import (
    MOST_DEAD_KEYS,
    MOST_SESSIONS,
    CredentialTakenError,
    SqliteClaimShelf,
    SqliteKeyShelf,
    SqliteSessionShelf,
)
from thorp.testing.clock import FakeClock
from thorp.testing.shelves import (
    EVERY_CHECK,
    FIRST_SESSION,
    FULL_KEY,
    PLAIN_KEY,
    SECOND_SESSION,
    Check,
    Shelves,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "thorp.db", NODE_MIGRATIONS, FakeClock())
    database.open()
    yield database
    database.close()


async def shelves_of(database: Database) -> Shelves:
    keys, sessions = SqliteKeyShelf(database), SqliteSessionShelf(database)
    await keys.load()
    await sessions.load()
    return Shelves(keys, sessions, SqliteClaimShelf(sessions))


@pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.__name__)
def test_the_shelves_keep_the_promises_of_their_ports(check: Check, database: Database) -> None:
    async def scene() -> None:
        await check(await shelves_of(database))

    asyncio.run(scene())


def test_everything_is_there_after_a_restart(database: Database) -> None:
    async def before() -> None:
        shelves = await shelves_of(database)
        await shelves.keys.add_key(PLAIN_KEY)
        await shelves.keys.add_key(FULL_KEY)
        await shelves.keys.revoke_key(PLAIN_KEY.id, 1_500.5)
        await shelves.claims.claim(FIRST_SESSION)
        await shelves.sessions.add_session(SECOND_SESSION)
        await shelves.sessions.end_session(FIRST_SESSION.id, 1_600.5)

    async def after() -> Shelves:
        return await shelves_of(database)

    asyncio.run(before())
    database.close()
    database.open()
    shelves = asyncio.run(after())
    assert shelves.keys.keys() == (replace(PLAIN_KEY, revoked=1_500.5), FULL_KEY)
    assert shelves.sessions.sessions() == (replace(FIRST_SESSION, ended=1_600.5), SECOND_SESSION)
    assert shelves.claims.claimed()


def test_a_revocation_holds_even_when_nobody_waits_for_it(database: Database) -> None:
    async def scene() -> None:
        shelves = await shelves_of(database)
        await shelves.keys.add_key(PLAIN_KEY)
        revoking = asyncio.create_task(shelves.keys.revoke_key(PLAIN_KEY.id, 1_500.0))
        await asyncio.sleep(0)
        revoking.cancel()
        await asyncio.gather(revoking, return_exceptions=True)
        await database.write(lambda _: None)  # whatever was queued before is done
        kept = (await shelves_of(database)).keys.keys()
        assert shelves.keys.keys() == kept

    asyncio.run(scene())


def test_an_id_is_given_once(database: Database) -> None:
    async def scene() -> None:
        shelves = await shelves_of(database)
        await shelves.keys.add_key(PLAIN_KEY)
        with pytest.raises(CredentialTakenError, match=PLAIN_KEY.id):
            await shelves.keys.add_key(replace(FULL_KEY, id=PLAIN_KEY.id))
        assert shelves.keys.keys() == (PLAIN_KEY,)
        await shelves.sessions.add_session(FIRST_SESSION)
        with pytest.raises(CredentialTakenError, match=FIRST_SESSION.id):
            await shelves.sessions.add_session(replace(SECOND_SESSION, id=FIRST_SESSION.id))
        with pytest.raises(CredentialTakenError):
            await shelves.claims.claim(replace(SECOND_SESSION, id=FIRST_SESSION.id))
        assert not shelves.claims.claimed()
        assert shelves.sessions.sessions() == (FIRST_SESSION,)

    asyncio.run(scene())


def test_a_secret_is_never_kept_in_the_clear(database: Database) -> None:
    async def scene() -> None:
        await (await shelves_of(database)).keys.add_key(replace(PLAIN_KEY, secret_hash=b"thorp_k00000001_secret"))

    with pytest.raises(CredentialTakenError, match="CHECK"):
        asyncio.run(scene())


def test_a_scope_this_thorp_does_not_know_gives_no_right(database: Database) -> None:
    def stranger(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE api_keys SET scopes = 'inference world:rule'")

    async def scene() -> None:
        await (await shelves_of(database)).keys.add_key(FULL_KEY)
        await database.write(stranger)
        (key,) = (await shelves_of(database)).keys.keys()
        assert key.scopes == PLAIN_KEY.scopes

    asyncio.run(scene())


def test_the_longest_dead_keys_are_forgotten(database: Database) -> None:
    dead = [
        (f"kd{number:07}", bytes(32), *((None, 2_000.0 + number) if number % 2 else (2_000.0 + number, None)))
        for number in range(MOST_DEAD_KEYS + 5)
    ]
    insert = (
        "INSERT INTO api_keys (id, name, secret_hash, scopes, created, models, expires, revoked)"
        " VALUES (?, 'n', ?, '', 0.0, '[]', ?, ?)"
    )

    async def scene() -> None:
        shelf = (await shelves_of(database)).keys
        await shelf.add_key(PLAIN_KEY)
        await database.write(lambda connection: connection.executemany(insert, dead).rowcount)
        await shelf.add_key(replace(PLAIN_KEY, id="klast0000", created=9_000.0))
        kept = {one.id for one in iter(shelf.keys())}
        assert len(kept) == MOST_DEAD_KEYS + 2
        assert {PLAIN_KEY.id, "klast0000", "kd0000005"} < kept
        assert "kd0000004" not in kept

    asyncio.run(scene())


def test_dead_sessions_go_first_then_the_oldest(database: Database) -> None:
    async def scene() -> None:
        sessions = (await shelves_of(database)).sessions
        for number in range(MOST_SESSIONS):
            await sessions.add_session(replace(FIRST_SESSION, id=f"s{number:08}", created=number, expires=9_000.0))
        await sessions.end_session("s00000007", 500.0)
        await sessions.add_session(replace(FIRST_SESSION, id="sexpired0", created=600.0, expires=650.0))
        assert {one.id for one in sessions.sessions() if one.id == "s00000007"} == set()
        await sessions.add_session(replace(FIRST_SESSION, id="snewest00", created=700.0, expires=9_000.0))
        await sessions.add_session(replace(FIRST_SESSION, id="sbackward", created=-1.0, expires=9_000.0))
        kept = [one.id for one in sessions.sessions()]
        assert len(kept) == MOST_SESSIONS
        assert {"s00000000", "sexpired0"}.isdisjoint(kept)
        assert {"s00000001", "snewest00", "sbackward"} < set(kept)  # also when the clock was set back

    asyncio.run(scene())
