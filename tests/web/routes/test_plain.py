"""The pages that work without JavaScript."""

import asyncio
from typing import Any, NoReturn
from urllib.parse import urlencode

import pytest

from thorp.base.errors import ConflictError
from thorp.identity.principals import owner
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld


def told(story: Any) -> Any:
    return asyncio.run(story)


async def posted(world: WebWorld, code: str) -> Heard:
    return await world.ask("POST", "/plain/claim", urlencode({"code": code}).encode())


def test_the_form_claims_and_leaves_a_strict_cookie() -> None:
    async def story() -> Heard:
        world = WebWorld()
        return await posted(world, world.desk.claim_code().text)

    heard = told(story())
    assert (heard.status, heard.headers["location"]) == (303, "/plain/status")
    cookie = heard.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/plain"))


def test_the_cookie_is_a_login_of_these_pages_alone() -> None:
    async def story() -> list[str]:
        world = WebWorld()
        codes = [world.desk.claim_code().text]
        heard = [await posted(world, codes[0])]
        heard.append(await posted(world, world.desk.mint_login_code().text))
        return [one.headers["set-cookie"] for one in heard]

    assert all(cookie.startswith("thorp_session=thorp_p") for cookie in told(story()))


@pytest.mark.parametrize("code", ["", "AAAAAAAA", "<script>", "x" * 900])
def test_a_wrong_code_is_told_in_the_page_and_is_text(code: str) -> None:
    async def story() -> Heard:
        world = WebWorld()
        world.desk.claim_code()
        return await posted(world, code)

    heard = told(story())
    assert heard.status == 401
    assert b'role="alert"' in heard.body
    assert b"<script>" not in heard.body


def test_a_sign_in_that_breaks_does_not_tell_in_which_folder() -> None:
    async def story() -> Heard:
        world = WebWorld()

        async def breaks(*_: object, **__: object) -> NoReturn:
            raise ConflictError("`/srv/ann/thorp.db` is locked.")

        world.desk.claim = breaks  # pyright: ignore[reportAttributeAccessIssue]
        return await posted(world, "AAAAAAAA")

    heard = told(story())
    assert heard.status == 409
    assert b"<code>thorp.db</code> is locked." in heard.body


def test_after_the_claim_the_same_form_signs_in() -> None:
    async def story() -> list[int]:
        world = WebWorld()
        first = await posted(world, world.desk.claim_code().text)
        second = await posted(world, world.desk.mint_login_code().text)
        return [first.status, second.status]

    assert told(story()) == [303, 303]


def test_from_elsewhere_only_a_code_made_for_it_counts() -> None:
    async def story() -> list[int]:
        world = WebWorld()
        away = world.client()
        away.at_home = False
        codes = world.desk.claim_code(), world.desk.claim_code(anywhere=True)
        return [(await away.ask("POST", "/plain/claim", f"code={code.text}".encode())).status for code in codes]

    assert told(story()) == [401, 303]


@pytest.mark.parametrize("claimed", [False, True])
def test_the_form_names_the_command_whose_codes_count_for_who_asks(claimed: bool) -> None:
    async def story() -> list[str]:
        world = WebWorld()
        if claimed:
            await posted(world, world.desk.claim_code().text)
        away = world.client()
        away.at_home = False
        asked = [await one.ask("GET", "/plain/claim") for one in (world, away)]
        asked += [await one.ask("POST", "/plain/claim", b"code=AAAAAAAA") for one in (world, away)]
        return [heard.body.decode().partition("<p>Type")[2] for heard in asked]

    here = "<code>thorp open --print</code>" if claimed else "<code>thorp up</code>"
    there = "<code>thorp open --anywhere</code>"
    assert [(here in form, there in form) for form in told(story())] == [(True, False), (False, True)] * 2


def test_the_status_page_shows_names_as_text() -> None:
    async def story() -> Heard:
        world = await WebWorld().opened()
        world.around.calls_itself = "<b>kitchen</b>"
        return await world.ask("GET", "/plain/status", b"", owner())

    heard = told(story())
    assert b"&lt;b&gt;kitchen" in heard.body
    assert b"<b>" not in heard.body
    assert b"node.echo@1.0" in heard.body


def test_who_may_not_see_the_status_gets_a_page_with_the_way_in() -> None:
    heard = told(WebWorld().ask("GET", "/plain/status"))
    assert heard.status == 401
    assert b'href="/plain/claim"' in heard.body


def test_leaving_ends_the_session_and_takes_the_cookie_back() -> None:
    async def story() -> tuple[Heard, bool]:
        world = WebWorld()
        session, _ = await world.desk.claim(world.desk.claim_code().text, at_home=True)
        heard = await world.ask("POST", "/plain/leave", b"", owner(session.id))
        return heard, await world.desk.end_session(session.id)

    heard, was_live = told(story())
    assert heard.status == 303
    assert "max-age=0" in heard.headers["set-cookie"].lower()
    assert not was_live


def test_the_style_is_there() -> None:
    heard = told(WebWorld().ask("GET", "/plain/look.css"))
    assert heard.headers["content-type"].startswith("text/css")
