"""Claim, logins and sessions over REST."""

import asyncio
from typing import Any

import pytest

from thorp.access.claim import OneTimeCode
from thorp.access.sessions import SESSION_SECONDS
from thorp.base.moments import seconds_of
from thorp.identity.principals import owner
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.wire.changes import NodeClaimed, SessionsChanged


def told(story: Any) -> Any:
    return asyncio.run(story)


async def claimed_world() -> tuple[WebWorld, Heard]:
    world = await WebWorld().opened()
    code = world.desk.claim_code().text
    return world, await world.ask("POST", "/api/v1/claim", {"code": code})


def test_the_right_code_claims_and_says_for_how_long() -> None:
    world, heard = told(claimed_world())
    assert heard.status == 201
    assert heard.json["token"].startswith("thorp_s")
    assert seconds_of(heard.json["expires"]) == world.clock.wall() + SESSION_SECONDS
    assert world.desk.claimed()


def test_everybody_may_ask_whether_it_is_claimed() -> None:
    async def story() -> list[object]:
        world, _ = await claimed_world()
        return [(await one.ask("GET", "/api/v1/claim")).json for one in (WebWorld(), world)]

    assert told(story()) == [{"claimed": False}, {"claimed": True}]


def test_watchers_hear_of_the_claim() -> None:
    world, _ = told(claimed_world())
    assert NodeClaimed() in [one.item for one in world.changes.since(0) or ()]


def test_it_is_claimed_once() -> None:
    async def story() -> Heard:
        world, _ = await claimed_world()
        return await world.ask("POST", "/api/v1/claim", {"code": "AAAAAAAA"})

    heard = told(story())
    assert (heard.status, heard.json["error"]["code"]) == (409, "access.already_claimed")


def test_a_login_code_signs_in_once() -> None:
    async def story() -> list[int]:
        world, _ = await claimed_world()
        code = world.desk.mint_login_code().text
        return [(await world.ask("POST", "/api/v1/login", {"code": code})).status for _ in range(2)]

    assert told(story()) == [201, 401]


def test_from_elsewhere_only_a_code_made_for_it_counts() -> None:
    async def story() -> list[int]:
        world = await WebWorld().opened()
        away = world.client()
        away.at_home = False

        async def tried(verb: str, code: OneTimeCode) -> int:
            return (await away.ask("POST", f"/api/v1/{verb}", {"code": code.text})).status

        claims = [await tried("claim", world.desk.claim_code(anywhere=anywhere)) for anywhere in (False, True)]
        logins = [await tried("login", world.desk.mint_login_code(anywhere=anywhere)) for anywhere in (False, True)]
        return claims + logins

    assert told(story()) == [401, 201, 401, 201]


@pytest.mark.parametrize("body", [{}, {"code": 1}, {"code": None}, {"code": "x", "more": 1}, []])
def test_a_wrong_body_is_refused_and_costs_no_try(body: object) -> None:
    async def story() -> tuple[set[int], int, int]:
        world = await WebWorld().opened()
        ways = "claim", "login"
        refused = {(await world.ask("POST", f"/api/v1/{way}", body)).status for _ in range(20) for way in ways}
        claimed = await world.ask("POST", "/api/v1/claim", {"code": world.desk.claim_code().text})
        refused |= {(await world.ask("POST", "/api/v1/login", body)).status for _ in range(20)}
        signed_in = await world.ask("POST", "/api/v1/login", {"code": world.desk.mint_login_code().text})
        return refused, claimed.status, signed_in.status

    assert told(story()) == ({400}, 201, 201)


def test_a_session_can_be_ended_once() -> None:
    async def story() -> list[int]:
        world, heard = await claimed_world()
        session = owner(heard.json["token"].split("_")[1])
        return [(await world.ask("DELETE", "/api/v1/session", b"", session)).status for _ in range(2)]

    assert told(story()) == [204, 404]


def test_watchers_hear_of_a_session_that_ended() -> None:
    async def story() -> list[object]:
        world, heard = await claimed_world()
        session = heard.json["token"].split("_")[1]
        await world.ask("DELETE", "/api/v1/session", b"", owner(session))
        return [one.item for one in world.changes.since(0) or () if one.item == SessionsChanged(ended=(session,))]

    assert len(told(story())) == 1


def test_who_came_by_the_socket_has_no_session_to_end() -> None:
    heard = told(WebWorld().ask("DELETE", "/api/v1/session", b"", owner()))
    assert (heard.status, heard.json["error"]["code"]) == (404, "web.no_session")
