import asyncio

import pytest

from thorp.access.credentials import parse
from thorp.access.sessions import SESSION_SECONDS, NoSuchSessionError, SessionOverError, drawn


def test_a_drawn_session_lasts_thirty_days_and_is_kept_nowhere(house) -> None:
    grant, token = drawn(house.clock, house.randomness)

    assert parse(token).id == grant.id
    assert grant.expires - grant.created == SESSION_SECONDS == 30 * 86_400
    assert house.shelves.sessions.sessions() == ()


def test_a_kept_session_is_recognised_until_it_expires(house) -> None:
    token = asyncio.run(house.login())
    assert house.sessions.match(parse(token)) == house.sessions.find(parse(token).id)

    house.clock.advance(SESSION_SECONDS)

    with pytest.raises(SessionOverError, match="`thorp open`"):
        house.sessions.match(parse(token))


def test_A20_an_ended_session_is_dead_at_once(house) -> None:
    token = asyncio.run(house.login())
    asyncio.run(house.desk.end_session(parse(token).id))

    with pytest.raises(SessionOverError):
        house.sessions.match(parse(token))


def test_a_wrong_secret_is_no_session(house) -> None:
    token = asyncio.run(house.login())

    with pytest.raises(SessionOverError):
        house.sessions.match(parse(f"thorp_{parse(token).id}_{'A' * 43}"))
    assert house.sessions.find("s00000000") is None


def test_live_sessions_are_those_that_neither_ended_nor_expired(house) -> None:
    old = parse(asyncio.run(house.login())).id
    house.clock.advance(60)
    ended, live = (parse(asyncio.run(house.login())).id for _ in range(2))
    assert asyncio.run(house.desk.end_session(ended))
    assert not asyncio.run(house.desk.end_session(ended))

    assert {one.id for one in house.sessions.live()} == {old, live}
    house.clock.advance(SESSION_SECONDS - 60)
    assert [one.id for one in house.sessions.live()] == [live]


def test_a_session_is_named_dead_or_alive_and_an_unknown_one_is_not_found(house) -> None:
    session = parse(asyncio.run(house.login())).id
    asyncio.run(house.desk.end_session(session))

    assert house.sessions.named(session).id == session
    with pytest.raises(NoSuchSessionError) as caught:
        house.sessions.named("s" * 64)
    assert (caught.value.status, caught.value.details) == (404, {"id": "s" * 40})


def test_A20_a_clock_that_is_set_back_brings_none_of_the_others_back(house) -> None:
    first, kept = (parse(asyncio.run(house.login())).id for _ in range(2))
    house.clock.advance(SESSION_SECONDS)

    assert asyncio.run(house.sessions.end_others(kept)) == ()
    house.clock.advance(-SESSION_SECONDS)

    assert [one.id for one in house.sessions.live()] == [kept]
    assert house.sessions.named(first).ended is not None
