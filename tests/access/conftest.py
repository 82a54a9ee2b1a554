"""Access as `app` wires it, on shelves in memory and with time in the test's hand."""

from dataclasses import dataclass, field

import pytest

from thorp.access.claim import ClaimDesk
from thorp.access.credentials import new_owner_token
from thorp.access.keys import KeyRing
from thorp.access.live import LiveCalls
from thorp.access.ports import SessionShelf
from thorp.access.sessions import SessionBook
from thorp.access.who import Known
from thorp.identity.scopes import Scope
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.testing.shelves import Shelves, memory_shelves


@dataclass
class House:
    clock: FakeClock = field(default_factory=FakeClock)
    randomness: FakeRandomness = field(default_factory=FakeRandomness)
    shelves: Shelves = field(default_factory=memory_shelves)
    open_inference: bool = True

    def __post_init__(self) -> None:
        self.live_calls = LiveCalls(self.clock)
        self.ring = KeyRing(self.shelves.keys, self.clock, self.randomness)
        self.keep_sessions_on(self.shelves.sessions)
        self.owner_token, owner_hash = new_owner_token(self.randomness)
        self.known = Known(self.ring, self.sessions, owner_hash, lambda: self.open_inference)

    def keep_sessions_on(self, shelf: SessionShelf) -> None:
        self.sessions = SessionBook(shelf, self.clock)
        self.desk = ClaimDesk(self.shelves.claims, shelf, self.live_calls, self.clock, self.randomness)

    async def key(self, *scopes: Scope, **wishes) -> str:
        """The text of a fresh key."""
        _, text = await self.ring.create("laptop", frozenset(scopes or {Scope.INFERENCE}), **wishes)
        return text

    async def login(self) -> str:
        """The token of a fresh session."""
        if not self.desk.claimed():
            _, token = await self.desk.claim(self.desk.claim_code().text, at_home=True)
        else:
            _, token = await self.desk.login(self.desk.mint_login_code().text, at_home=True)
        return token


@pytest.fixture
def house() -> House:
    return House()
