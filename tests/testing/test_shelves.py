"""The suite itself must catch shelves that break their promises."""

import asyncio
from dataclasses import replace

import pytest

from thorp.identity.grants import KeyGrant, SessionGrant
from thorp.testing.file_conformance import ConformanceError
from thorp.testing.shelves import (
    EVERY_CHECK,
    MemoryClaimShelf,
    MemoryKeyShelf,
    MemorySessionShelf,
    Shelves,
    memory_shelves,
)


class Forgetful(MemoryKeyShelf):
    async def add_key(self, grant: KeyGrant) -> None:
        await super().add_key(replace(grant, models=(), rpm=None))


class Late(MemoryKeyShelf):
    """Its snapshot is one write behind."""

    shown: tuple[KeyGrant, ...] = ()

    async def add_key(self, grant: KeyGrant) -> None:
        self.shown = super().keys()
        await super().add_key(grant)

    def keys(self) -> tuple[KeyGrant, ...]:
        return self.shown


class Deleting(MemoryKeyShelf):
    async def revoke_key(self, key_id: str, now: float) -> bool:
        live = await super().revoke_key(key_id, now)
        self._kept = tuple(one for one in self._kept if one.id != key_id)
        return live


class Unending(MemorySessionShelf):
    async def end_session(self, session_id: str, now: float) -> bool:
        return await super().end_session(session_id, now) or True


class Racing(MemoryClaimShelf):
    """Looks, waits, and only then takes."""

    async def claim(self, session: SessionGrant) -> bool:
        if self._claimed:
            return False
        await asyncio.sleep(0)
        self._claimed = True
        await self._sessions.add_session(session)
        return True


class Sessionless(MemoryClaimShelf):
    async def claim(self, _session: SessionGrant) -> bool:
        won, self._claimed = not self._claimed, True
        return won


def with_keys(keys: MemoryKeyShelf) -> Shelves:
    return replace(memory_shelves(), keys=keys)


def with_claims(claims: type[MemoryClaimShelf]) -> Shelves:
    sessions = MemorySessionShelf()
    return Shelves(MemoryKeyShelf(), sessions, claims(sessions))


def with_sessions() -> Shelves:
    sessions = Unending()
    return Shelves(MemoryKeyShelf(), sessions, MemoryClaimShelf(sessions))


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (lambda: with_keys(Forgetful()), "keys come back whole"),
        (lambda: with_keys(Late()), "as soon as adding returns"),
        (lambda: with_keys(Deleting()), "revoking marks that key alone"),
        (with_sessions, "an ended session is no live one"),
        (lambda: with_claims(Racing), "exactly one of two claims at once wins"),
        (lambda: with_claims(Sessionless), "together with its session"),
    ],
    ids=["forgetful", "late", "deleting", "unending", "racing", "sessionless"],
)
def test_broken_shelves_are_caught(broken, promise: str) -> None:
    said = []
    for check in EVERY_CHECK:
        try:
            asyncio.run(check(broken()))
        except ConformanceError as error:
            said.append(str(error))

    assert any(promise in one for one in said)
