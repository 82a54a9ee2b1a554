import asyncio

import pytest

from thorp.access.credentials import parse
from thorp.access.live import CutError
from thorp.access.session_desk import WhichSessionError, offers
from thorp.access.sessions import CUT_REASON, SESSION_SECONDS, NoSuchSessionError, SessionOverError
from thorp.base.tasks import TaskScope
from thorp.identity.principals import Principal, owner
from thorp.testing.shelves import MemorySessionShelf
from thorp.wire.capabilities.sessions import SESSIONS_END, SESSIONS_LIST, SessionsEnd
from thorp.wire.capability import Call, Nothing
from thorp.wire.changes import SessionsChanged


class Desk:
    """The offers, called as the bus calls them."""

    def __init__(self, house) -> None:
        self.told: list[SessionsChanged] = []
        made = offers(house.sessions, house.desk, house.live_calls, self.told.append)
        self.offers = {one.capability.id: one for one in made}

    def call(self, capability, request, principal: Principal):
        return self.offers[capability.id].unary(Call(request, principal, "r1"))

    def list(self, this: str = ""):
        return asyncio.run(self.call(SESSIONS_LIST, Nothing(), owner(this))).sessions

    def end(self, this: str = "", **asked) -> tuple[str, ...]:
        return asyncio.run(self.call(SESSIONS_END, SessionsEnd(**asked), owner(this))).ended


def signed_in(house) -> str:
    """The id of a fresh session."""
    return parse(asyncio.run(house.login())).id


async def stream(house, credential: str, running: asyncio.Event) -> str:
    """Runs on a credential until that is cut, and says why."""
    try:
        with house.live_calls.call(credential):
            running.set()
            await asyncio.Event().wait()
    except CutError as error:
        return error.message


async def cut_by(house, credentials: list[str], ending) -> list[str]:
    """Which of the streams on these credentials an ending cuts; each for the declared reason."""
    running = {one: asyncio.Event() for one in credentials}
    async with TaskScope("streams") as scope:
        tasks = {one: scope.start(one, stream(house, one, running[one])) for one in credentials}
        for started in running.values():
            await started.wait()
        await ending(scope)
        cut = [one for one in credentials if tasks[one].cancelling() or tasks[one].done()]
        assert {await tasks[one] for one in cut} <= {CUT_REASON}
        return cut


@pytest.fixture
def desk(house) -> Desk:
    return Desk(house)


def test_live_sessions_are_listed_oldest_first_and_the_asking_one_is_marked(house, desk: Desk) -> None:
    first = signed_in(house)
    house.clock.advance(60)
    second = signed_in(house)

    rows = desk.list(this=second)

    assert [(row.id, row.this) for row in rows] == [(first, False), (second, True)]
    assert (rows[0].created, rows[0].expires) == ("2023-11-14T22:13:20.000Z", "2023-12-14T22:13:20.000Z")
    assert [row.this for row in desk.list()] == [False, False]


def test_what_ended_or_expired_is_not_listed(house, desk: Desk) -> None:
    ended = signed_in(house)
    desk.end(id=ended)
    signed_in(house)
    house.clock.advance(SESSION_SECONDS)
    live = signed_in(house)

    assert [row.id for row in desk.list()] == [live]


def test_A20_an_ended_session_is_dead_and_its_calls_end(house, desk: Desk) -> None:
    token = asyncio.run(house.login())
    ended, other = parse(token).id, signed_in(house)

    async def ending(_scope: TaskScope) -> None:
        await desk.call(SESSIONS_END, SessionsEnd(id=ended), owner())

    assert asyncio.run(cut_by(house, [ended, other, ""], ending)) == [ended]
    with pytest.raises(SessionOverError):
        house.sessions.match(parse(token))
    assert [row.id for row in desk.list()] == [other]


def test_A20_ending_the_others_spares_who_asks_and_everybody_who_is_no_session(house, desk: Desk) -> None:
    this, *others = (signed_in(house) for _ in range(3))

    async def ending(_scope: TaskScope) -> None:
        await desk.call(SESSIONS_END, SessionsEnd(others=True), owner(this))

    cut = asyncio.run(cut_by(house, [this, *others, "k00000001", "o", ""], ending))

    assert cut == others
    assert [row.id for row in desk.list()] == [this]


def test_who_is_no_session_ends_them_all(house, desk: Desk) -> None:
    ids = {signed_in(house) for _ in range(3)}

    assert set(desk.end(others=True)) == ids
    assert desk.list() == ()


def test_a_session_may_end_itself_and_still_gets_its_answer(house, desk: Desk) -> None:
    this = signed_in(house)

    async def story() -> tuple[str, ...]:
        with house.live_calls.call(this):
            return (await desk.call(SESSIONS_END, SessionsEnd(id=this), owner(this))).ended

    assert asyncio.run(story()) == (this,)


class Slow(MemorySessionShelf):
    """Says when it is asked to end something, and never comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def end_session(self, session_id: str, now: float) -> bool:
        return bool(await self.end_other_sessions(session_id, now))

    async def end_other_sessions(self, kept: str, now: float) -> tuple[str, ...]:
        self.asked.set()
        await asyncio.Event().wait()
        return ()


@pytest.mark.parametrize("others", [False, True], ids=["one", "others"])
def test_A20_an_end_whose_caller_has_gone_still_ends_the_calls(house, *, others: bool) -> None:
    async def story() -> tuple[list[str], list[str]]:
        shelf, slow = house.shelves.sessions, Slow()
        ids = [parse(await house.login()).id for _ in range(2)]
        for grant in shelf.sessions():
            await slow.add_session(grant)
        house.keep_sessions_on(slow)
        asked = SessionsEnd(others=True) if others else SessionsEnd(id=ids[1])

        async def ending(scope: TaskScope) -> None:
            asking = scope.start("end", Desk(house).call(SESSIONS_END, asked, owner(ids[0])))
            await slow.asked.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        return await cut_by(house, ids, ending), ids[1:]

    cut, expected = asyncio.run(story())
    assert cut == expected


def test_A20_who_signs_in_while_the_others_end_is_cut_as_well(house) -> None:
    class Late(MemorySessionShelf):
        """One more session is there by the time it gets to work."""

        late = ""

        async def end_other_sessions(self, kept: str, now: float) -> tuple[str, ...]:
            return (*await super().end_other_sessions(kept, now), self.late)

    async def story() -> tuple[list[str], str]:
        shelf = Late()
        shelf.late = parse(await house.login()).id
        house.keep_sessions_on(shelf)

        async def ending(_scope: TaskScope) -> None:
            await Desk(house).call(SESSIONS_END, SessionsEnd(others=True), owner())

        return await cut_by(house, [shelf.late], ending), shelf.late

    cut, late = asyncio.run(story())
    assert cut == [late]


def test_watchers_are_told_of_all_at_once(house, desk: Desk) -> None:
    first, second, this = (signed_in(house) for _ in range(3))
    desk.end(this, id=first)
    desk.end(this, others=True)

    assert desk.told == [SessionsChanged(ended=(first,)), SessionsChanged(ended=(second,))]


def test_ending_twice_is_the_same_as_once_and_told_once(house, desk: Desk) -> None:
    session = signed_in(house)

    assert [desk.end(id=session), desk.end(id=session), desk.end(others=True)] == [(session,), (), ()]
    assert desk.told == [SessionsChanged(ended=(session,))]


@pytest.mark.parametrize("credential", ["s00000000", "k00000001", "o", ""])
def test_what_is_no_session_is_not_ended_nor_are_its_calls(house, desk: Desk, credential: str) -> None:
    async def ending(_scope: TaskScope) -> None:
        with pytest.raises(NoSuchSessionError, match="`thorp sessions list`"):
            await desk.call(SESSIONS_END, SessionsEnd(id=credential), owner("s00000001"))

    assert asyncio.run(cut_by(house, [credential], ending)) == []
    assert desk.told == []


@pytest.mark.parametrize("asked", [{}, {"id": None}, {"others": False}, {"id": "s00000001", "others": True}])
def test_exactly_one_of_both_is_to_be_said(house, desk: Desk, asked: dict[str, object]) -> None:
    session = signed_in(house)

    with pytest.raises(WhichSessionError) as caught:
        desk.end(**asked)

    assert (caught.value.code, caught.value.status) == ("access.which_session", 400)
    assert [row.id for row in desk.list()] == [session]
