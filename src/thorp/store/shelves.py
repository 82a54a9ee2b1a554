"""Where keys, sessions and the claim are kept. They satisfy the ports of `access` and decide nothing.

Answers come from memory; memory follows every commit, also one whose caller has gone away.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection
from sqlite3 import IntegrityError as BrokenConstraint
from typing import Final, Generic, TypeVar

from thorp.base.errors import ConflictError
from thorp.identity.grants import KeyGrant, SessionGrant
from thorp.identity.scopes import EVERY_SCOPE
from thorp.store.database import Database

T = TypeVar("T")
AnswerT = TypeVar("AnswerT")

MOST_DEAD_KEYS: Final = 1_000  # kept for the list; the longest dead go first
MOST_SESSIONS: Final = 200  # kept in all; the dead go first, then the oldest login


class CredentialTakenError(ConflictError):
    """A key or session with this id exists."""

    code = "store.credential_taken"


class Mirror(Generic[T]):
    """What a query answers, held in memory; it follows every change committed through it."""

    def __init__(self, database: Database, query: Callable[[Connection], T], empty: T) -> None:
        self._database = database
        self._query = query
        self.now = empty

    async def load(self) -> None:
        self.now = await self._database.reading(self._query)

    async def change(self, step: Callable[[Connection], AnswerT]) -> AnswerT:
        def job(connection: Connection) -> tuple[AnswerT, T]:
            return step(connection), self._query(connection)

        answer, _ = await self._database.write(job, committed=self._follow)
        return answer

    def _follow(self, committed: tuple[object, T]) -> None:
        self.now = committed[1]


class SqliteKeyShelf:
    def __init__(self, database: Database) -> None:
        self._kept = Mirror(database, _every_key, ())

    async def load(self) -> None:
        """Read what is kept; once, when the database is open."""
        await self._kept.load()

    def keys(self) -> tuple[KeyGrant, ...]:
        return self._kept.now

    async def add_key(self, grant: KeyGrant) -> None:
        await self._kept.change(lambda connection: _insert_key(connection, grant))

    async def revoke_key(self, key_id: str, now: float) -> bool:
        """Revoke a key and all that was made with it. False: there is no such key, or it was revoked before."""
        return await self._kept.change(lambda connection: _revoke_key(connection, key_id, now))


@dataclass(frozen=True, slots=True)
class Logins:
    claimed: bool = False
    sessions: tuple[SessionGrant, ...] = ()


class SqliteSessionShelf:
    def __init__(self, database: Database) -> None:
        self.logins = Mirror(database, _logins, Logins())

    async def load(self) -> None:
        """Read what is kept, the claim too; once, when the database is open."""
        await self.logins.load()

    def sessions(self) -> tuple[SessionGrant, ...]:
        return self.logins.now.sessions

    async def add_session(self, grant: SessionGrant) -> None:
        await self.logins.change(lambda connection: _insert_session(connection, grant))

    async def end_session(self, session_id: str, now: float) -> bool:
        """False: there is no such session, or it was ended before."""
        return await self.logins.change(lambda connection: _end_session(connection, session_id, now))

    async def end_other_sessions(self, kept: str, now: float) -> tuple[str, ...]:
        """End every session but one; the ids of those that were alive."""
        return await self.logins.change(lambda connection: _end_other_sessions(connection, kept, now))


class SqliteClaimShelf:
    def __init__(self, sessions: SqliteSessionShelf) -> None:
        self._logins = sessions.logins

    def claimed(self) -> bool:
        return self._logins.now.claimed

    async def claim(self, session: SessionGrant) -> bool:
        """Make this session the first login; False when somebody was first."""
        return await self._logins.change(lambda connection: _claim(connection, session))


def _every_key(connection: Connection) -> tuple[KeyGrant, ...]:
    rows = connection.execute(
        "SELECT id, name, secret_hash, scopes, created, models, rpm, expires, revoked, made_by FROM api_keys"
        " ORDER BY created, id"
    )
    return tuple(
        KeyGrant(
            id=key_id,
            name=name,
            secret_hash=secret_hash,
            scopes=frozenset(scope for scope in EVERY_SCOPE if scope.value in scopes.split()),
            created=created,
            models=tuple(json.loads(models)),
            rpm=rpm,
            expires=expires,
            revoked=revoked,
            made_by=made_by,
        )
        for key_id, name, secret_hash, scopes, created, models, rpm, expires, revoked, made_by in rows
    )


def _insert_key(connection: Connection, grant: KeyGrant) -> bool:
    scopes = " ".join(sorted(grant.scopes))
    row = (grant.id, grant.name, grant.secret_hash, scopes, grant.created, json.dumps(grant.models))
    try:
        connection.execute(
            "INSERT INTO api_keys (id, name, secret_hash, scopes, created, models, rpm, expires, revoked, made_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, grant.rpm, grant.expires, grant.revoked, grant.made_by),
        )
    except BrokenConstraint as error:
        raise CredentialTakenError(f"The key `{grant.id}` cannot be added: {error}. Make another one.") from error
    connection.execute(
        "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked IS NOT NULL OR expires <= :now"
        " ORDER BY coalesce(revoked, expires) DESC LIMIT -1 OFFSET :most)",
        {"now": grant.created, "most": MOST_DEAD_KEYS},
    )
    return True


def _revoke_key(connection: Connection, key_id: str, now: float) -> bool:
    revoke = (
        "UPDATE api_keys SET revoked = :now WHERE revoked IS NULL AND id IN (WITH RECURSIVE family (id) AS"
        " (SELECT :id UNION SELECT api_keys.id FROM api_keys JOIN family ON api_keys.made_by = family.id)"
        " SELECT id FROM family)"
    )
    return connection.execute(revoke, {"id": key_id, "now": now}).rowcount > 0


def _logins(connection: Connection) -> Logins:
    rows = connection.execute("SELECT id, secret_hash, created, expires, ended FROM sessions ORDER BY created, id")
    sessions = tuple(SessionGrant(*row) for row in rows)
    return Logins(connection.execute("SELECT 1 FROM claim").fetchone() is not None, sessions)


def _insert_session(connection: Connection, grant: SessionGrant) -> bool:
    try:
        connection.execute(
            "INSERT INTO sessions (id, secret_hash, created, expires, ended) VALUES (?, ?, ?, ?, ?)",
            (grant.id, grant.secret_hash, grant.created, grant.expires, grant.ended),
        )
    except BrokenConstraint as error:
        raise CredentialTakenError(f"The session `{grant.id}` cannot be added: {error}. Log in again.") from error
    connection.execute(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions"
        " ORDER BY id = :new DESC, (ended IS NULL AND expires > :now) DESC, created DESC LIMIT -1 OFFSET :most)",
        {"new": grant.id, "now": grant.created, "most": MOST_SESSIONS},
    )
    return True


def _end_session(connection: Connection, session_id: str, now: float) -> bool:
    end = "UPDATE sessions SET ended = ? WHERE id = ? AND ended IS NULL"
    return connection.execute(end, (now, session_id)).rowcount == 1


def _end_other_sessions(connection: Connection, kept: str, now: float) -> tuple[str, ...]:
    end = "UPDATE sessions SET ended = ? WHERE id != ? AND ended IS NULL RETURNING id, expires"
    ended = connection.execute(end, (now, kept)).fetchall()
    return tuple(sorted(session_id for session_id, expires in ended if now < expires))


def _claim(connection: Connection, session: SessionGrant) -> bool:
    won = connection.execute(
        "INSERT INTO claim (only, session, claimed) VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
        (session.id, session.created),
    )
    return won.rowcount == 1 and _insert_session(connection, session)
