"""Shelves in memory, and what every shelf promises: `for check in EVERY_CHECK: await check(shelves)`.

A check wants shelves that are empty and belong to it alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from thorp.access.ports import ClaimShelf, KeyShelf, SessionShelf
from thorp.identity.grants import KeyGrant, SessionGrant
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.testing.file_conformance import expect


class MemoryKeyShelf:
    def __init__(self) -> None:
        self._kept: tuple[KeyGrant, ...] = ()

    async def add_key(self, grant: KeyGrant) -> None:
        self._kept = (*self._kept, grant)

    async def revoke_key(self, key_id: str, now: float) -> bool:
        live = {one.id for one in self._kept if one.revoked is None}
        family = {key_id}
        for one in self._kept:  # a key stands behind the one that made it
            family |= {one.id} if one.made_by in family else set()
        self._kept = tuple(
            replace(one, revoked=now) if one.id in family and one.id in live else one for one in self._kept
        )
        return key_id in live

    def keys(self) -> tuple[KeyGrant, ...]:
        return self._kept


class MemorySessionShelf:
    def __init__(self) -> None:
        self._kept: tuple[SessionGrant, ...] = ()

    async def add_session(self, grant: SessionGrant) -> None:
        self._kept = (*self._kept, grant)

    async def end_session(self, session_id: str, now: float) -> bool:
        live = {one.id for one in self._kept if one.ended is None}
        self._kept = tuple(
            replace(one, ended=now) if one.id == session_id and one.id in live else one for one in self._kept
        )
        return session_id in live

    async def end_other_sessions(self, kept: str, now: float) -> tuple[str, ...]:
        alive = tuple(sorted(one.id for one in self._kept if one.id != kept and one.alive(now)))
        self._kept = tuple(
            replace(one, ended=now) if one.id != kept and one.ended is None else one for one in self._kept
        )
        return alive

    def sessions(self) -> tuple[SessionGrant, ...]:
        return self._kept


class MemoryClaimShelf:
    def __init__(self, sessions: SessionShelf) -> None:
        self._sessions = sessions
        self._claimed = False

    def claimed(self) -> bool:
        return self._claimed

    async def claim(self, session: SessionGrant) -> bool:
        """Gives way first, as a database does, so that two claims really meet here."""
        await asyncio.sleep(0)
        if self._claimed:
            return False
        self._claimed = True
        await self._sessions.add_session(session)
        return True


@dataclass(frozen=True, slots=True)
class Shelves:
    keys: KeyShelf
    sessions: SessionShelf
    claims: ClaimShelf  # adds its sessions to `sessions`


def memory_shelves() -> Shelves:
    sessions = MemorySessionShelf()
    return Shelves(MemoryKeyShelf(), sessions, MemoryClaimShelf(sessions))


PLAIN_KEY: Final = KeyGrant("k00000001", "laptop", b"\x01" * 32, frozenset({Scope.INFERENCE}), 1_000.25)
FULL_KEY: Final = KeyGrant(
    id="k00000002",
    name="Küche, 'quoted' \"twice\"",
    secret_hash=bytes(range(32)),
    scopes=EVERY_SCOPE,
    created=1_001.5,
    models=("mistral:7b:instruct:q4_k_m", "qwen:0.5b:base:q8_0"),
    rpm=1_000_000,
    expires=2_000.75,
)
FIRST_SESSION: Final = SessionGrant("s00000001", b"\x03" * 32, 1_002.5, 3_000.0)
SECOND_SESSION: Final = SessionGrant("s00000002", b"\x04" * 32, 1_003.5, 3_001.0)


async def new_shelves_are_empty(shelves: Shelves) -> None:
    expect(shelves.keys.keys() == (), "there is no key before the first")
    expect(shelves.sessions.sessions() == (), "there is no session before the first")
    expect(not shelves.claims.claimed(), "nobody has claimed yet")


async def a_key_is_kept_as_it_was_given(shelves: Shelves) -> None:
    await shelves.keys.add_key(PLAIN_KEY)
    await shelves.keys.add_key(FULL_KEY)
    expect(set(shelves.keys.keys()) == {PLAIN_KEY, FULL_KEY}, "keys come back whole, as soon as adding returns")


async def a_key_is_revoked_once_and_stays_listed(shelves: Shelves) -> None:
    await shelves.keys.add_key(PLAIN_KEY)
    await shelves.keys.add_key(FULL_KEY)
    expect(await shelves.keys.revoke_key(PLAIN_KEY.id, 1_500.5), "a live key can be revoked")
    expected = {replace(PLAIN_KEY, revoked=1_500.5), FULL_KEY}
    expect(set(shelves.keys.keys()) == expected, "revoking marks that key alone, as soon as it returns")
    expect(not await shelves.keys.revoke_key(PLAIN_KEY.id, 1_600.0), "a revoked key is no live key")
    expect(set(shelves.keys.keys()) == expected, "the first revocation stands")


async def a_revoked_key_takes_what_it_made_with_it(shelves: Shelves) -> None:
    child = replace(FULL_KEY, id="k00000003", made_by=PLAIN_KEY.id)
    grandchild, sibling = replace(child, id="k00000005", made_by=child.id), replace(child, id="k00000004")
    for key in (FULL_KEY, PLAIN_KEY, child, grandchild, sibling):
        await shelves.keys.add_key(key)
    expect(await shelves.keys.revoke_key(sibling.id, 1_400.5), "what a key made can be revoked by itself")
    expect(await shelves.keys.revoke_key(PLAIN_KEY.id, 1_500.5), "and so can the key")
    kept = shelves.keys.keys()
    revoked = {key.id: key.revoked for key in kept}
    expected = {
        PLAIN_KEY.id: 1_500.5,
        child.id: 1_500.5,
        grandchild.id: 1_500.5,
        sibling.id: 1_400.5,
        FULL_KEY.id: None,
    }
    expect(revoked == expected, "all it made ends with it, what ended before did so once, and others live on")


async def what_expired_can_still_be_taken_back(shelves: Shelves) -> None:
    """A wall clock that ran ahead and is set right again must bring nothing back to life."""
    await shelves.keys.add_key(FULL_KEY)
    await shelves.sessions.add_session(FIRST_SESSION)
    expect(await shelves.keys.revoke_key(FULL_KEY.id, 9_000.0), "an expired key can still be revoked")
    expect(shelves.keys.keys() == (replace(FULL_KEY, revoked=9_000.0),), "and is marked so")
    expect(await shelves.sessions.end_session(FIRST_SESSION.id, 9_000.0), "an expired session can still be ended")
    expect(shelves.sessions.sessions() == (replace(FIRST_SESSION, ended=9_000.0),), "and is marked so")


async def an_unknown_key_is_not_revoked(shelves: Shelves) -> None:
    await shelves.keys.add_key(PLAIN_KEY)
    expect(not await shelves.keys.revoke_key("k9999999z", 1_500.0), "an unknown key is no live key")
    expect(shelves.keys.keys() == (PLAIN_KEY,), "and nothing changes")


async def a_session_is_kept_and_ended_once(shelves: Shelves) -> None:
    await shelves.sessions.add_session(FIRST_SESSION)
    await shelves.sessions.add_session(SECOND_SESSION)
    expect(set(shelves.sessions.sessions()) == {FIRST_SESSION, SECOND_SESSION}, "sessions come back whole")
    expect(await shelves.sessions.end_session(FIRST_SESSION.id, 1_500.5), "a live session can be ended")
    expected = {replace(FIRST_SESSION, ended=1_500.5), SECOND_SESSION}
    expect(set(shelves.sessions.sessions()) == expected, "ending marks that session alone")
    expect(not await shelves.sessions.end_session(FIRST_SESSION.id, 1_600.0), "an ended session is no live one")
    expect(not await shelves.sessions.end_session("s9999999z", 1_600.0), "an unknown session is no live one")
    expect(set(shelves.sessions.sessions()) == expected, "the first end stands")


async def every_other_session_is_ended_at_once(shelves: Shelves) -> None:
    expired, dead = replace(FIRST_SESSION, id="s00000003", expires=1_400.0), replace(FIRST_SESSION, id="s00000004")
    for session in (SECOND_SESSION, FIRST_SESSION, expired, dead):
        await shelves.sessions.add_session(session)
    await shelves.sessions.end_session(dead.id, 1_300.0)
    ended = await shelves.sessions.end_other_sessions(SECOND_SESSION.id, 1_500.5)
    expect(ended == (FIRST_SESSION.id,), "those that were alive are named")
    expected = {
        SECOND_SESSION,
        replace(FIRST_SESSION, ended=1_500.5),
        replace(expired, ended=1_500.5),
        replace(dead, ended=1_300.0),
    }
    expect(set(shelves.sessions.sessions()) == expected, "every other session ends, expired ones too, but none twice")
    expect(await shelves.sessions.end_other_sessions("", 1_600.5) == (SECOND_SESSION.id,), "with none to keep, all end")
    expect(await shelves.sessions.end_other_sessions("", 1_700.5) == (), "what has ended does not end again")


async def a_claim_keeps_its_session(shelves: Shelves) -> None:
    expect(await shelves.claims.claim(FIRST_SESSION), "the first claim wins")
    expect(shelves.claims.claimed(), "and is known as soon as it returns")
    expect(shelves.sessions.sessions() == (FIRST_SESSION,), "together with its session")


async def a_second_claim_leaves_nothing(shelves: Shelves) -> None:
    await shelves.claims.claim(FIRST_SESSION)
    expect(not await shelves.claims.claim(SECOND_SESSION), "a second claim loses")
    expect(shelves.sessions.sessions() == (FIRST_SESSION,), "and its session is not kept")


async def of_two_claims_at_once_one_wins(shelves: Shelves) -> None:
    won = await asyncio.gather(shelves.claims.claim(FIRST_SESSION), shelves.claims.claim(SECOND_SESSION))
    expect(sorted(won) == [False, True], "exactly one of two claims at once wins")
    winner = FIRST_SESSION if won[0] else SECOND_SESSION
    expect(shelves.sessions.sessions() == (winner,), "and only its session is kept")


Check: TypeAlias = Callable[[Shelves], Awaitable[None]]
EVERY_CHECK: Final[tuple[Check, ...]] = (
    new_shelves_are_empty,
    a_key_is_kept_as_it_was_given,
    a_key_is_revoked_once_and_stays_listed,
    a_revoked_key_takes_what_it_made_with_it,
    what_expired_can_still_be_taken_back,
    an_unknown_key_is_not_revoked,
    a_session_is_kept_and_ended_once,
    every_other_session_is_ended_at_once,
    a_claim_keeps_its_session,
    a_second_claim_leaves_nothing,
    of_two_claims_at_once_one_wins,
)
