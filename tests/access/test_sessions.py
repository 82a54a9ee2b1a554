import asyncio

import pytest

from thorp.access.credentials import parse
from thorp.access.sessions import SESSION_SECONDS, SessionOverError, drawn


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
