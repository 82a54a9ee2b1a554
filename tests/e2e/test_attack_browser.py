"""Attacks 1 to 7 as a real Chromium carries them out: pages of other origins with everything the web lets them try."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.attack_house import House, house
from tests.e2e.attack_page import EVERYTHING, elsewhere
from tests.e2e.attack_wire import Place, ask, bearer
from tests.e2e.browser import FLAGS
from thorp.testing.process import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
EVIL = "evil.example"
COOKIE = "thorp_session"
STATUS = "async (path) => { const answer = await fetch(path); return answer.status; }"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    """A browser that is told what an attacker's name server would tell it: evil.example is this machine."""
    found = shutil.which("chromium")
    assert found, "these tests drive Chromium; on Debian: apt install chromium"
    flags = [*FLAGS, f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"]
    environment: dict[str, str | float | bool] = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("chromium")),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags, env=environment)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def profile(chromium: Browser) -> Generator[BrowserContext]:
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    context.close()


def sign_in(home: House, profile: BrowserContext) -> Page:
    """The owner's own tab on the plain pages, signed in by the cookie."""
    page = profile.new_page()
    page.goto(f"{home.tcp.origin}/plain/claim")
    page.get_by_label("Code").fill(home.owner("POST", "/api/v1/login/codes").json["code"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    return page


def cookie_of(profile: BrowserContext) -> dict[str, Any]:
    found = [dict(one) for one in profile.cookies() if one.get("name") == COOKIE]
    assert len(found) == 1
    return found[0]


def leaked(seen: dict[str, str]) -> dict[str, str]:
    """What the page could read. Whether it could do anything is judged by the state of the node."""
    return {name: what for name, what in seen.items() if what.startswith("read") and what != "read "}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", EVIL])
def test_a_page_of_another_origin_reads_nothing_and_does_nothing(
    home: House, profile: BrowserContext, host: str
) -> None:
    owner = sign_in(home, profile)
    code, before = home.owner("POST", "/api/v1/login/codes").json["code"], home.state()
    with elsewhere() as evil:
        page = profile.new_page()
        page.goto(f"http://{host}:{evil.port}/")
        seen = page.evaluate(EVERYTHING, [home.tcp.origin, code])
    assert len(seen) > 80
    assert leaked(seen) == {}
    assert home.state() == before
    owner.reload()
    owner.get_by_role("button", name="Sign out").wait_for()  # still signed in
    assert ask(home.tcp, "GET", "/healthz").status == 200


def test_a_page_without_an_origin_reads_nothing_and_does_nothing(
    home: House, profile: BrowserContext, tmp_path: Path
) -> None:
    (tmp_path / "evil.html").write_text("<!doctype html><title>File</title><body>")
    code, before = home.owner("POST", "/api/v1/login/codes").json["code"], home.state()
    page = profile.new_page()
    for address in (f"file://{tmp_path}/evil.html", "data:text/html,<title>Data</title><body>"):
        page.goto(address)
        seen = page.evaluate(EVERYTHING, [home.tcp.origin, code])
        assert leaked(seen) == {}
    assert home.state() == before


def test_A2_a_name_rebound_to_this_machine_shows_nothing(home: House, profile: BrowserContext) -> None:
    """To the browser the node now is evil.example itself: nothing is foreign, no cookie of others is in the way."""
    page = profile.new_page()
    answer = page.goto(f"http://{EVIL}:{home.tcp.port}/api/v1/claim")
    assert answer
    assert answer.status == 421
    assert "claimed" not in answer.text().replace("reclaimed", "")
    for path in ("/", "/healthz", "/plain/claim", "/api/v1/claim", "/api/v1/status", "/metrics"):
        assert page.evaluate(STATUS, path) == 421


def test_A7_a_window_that_opened_the_dashboard_has_no_hold_on_it(home: House, profile: BrowserContext) -> None:
    with elsewhere() as evil:
        page = profile.new_page()
        page.goto(f"http://127.0.0.1:{evil.port}/")
        with page.expect_popup() as opened:
            page.evaluate("(address) => { window.held = window.open(address); }", f"{home.tcp.origin}/")
        opened.value.wait_for_load_state()
        assert page.evaluate("window.held.closed")  # severed
        assert opened.value.evaluate("window.opener === null")


def test_the_cookie_of_the_plain_pages_is_marked_for_them_alone(home: House, profile: BrowserContext) -> None:
    page = sign_in(home, profile)
    cookie = cookie_of(profile)

    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/plain")
    assert page.evaluate("document.cookie") == ""


def test_a_cookie_that_another_server_of_this_machine_got_to_see_makes_nobody_the_owner(
    home: House, profile: BrowserContext
) -> None:
    """Cookies know no ports: whoever serves a page on 127.0.0.1 is sent them, another user of the machine too."""
    sign_in(home, profile)
    with elsewhere() as evil:
        profile.new_page().goto(f"http://127.0.0.1:{evil.port}/plain/x")
        stolen = next(one for one in evil.cookies if COOKIE in one).partition("=")[2]
    key = b'{"name":"evil","scopes":["inference"]}'
    for shown in (bearer(stolen), ("X-Api-Key", stolen), ("Cookie", f"{COOKIE}={stolen}")):
        headers = [shown, ("Content-Type", "application/json")]
        for place in home.places.values():
            assert ask(place, "POST", "/api/v1/keys", headers, key).status == 401
            assert ask(place, "GET", "/api/v1/status", headers).status == 401
            assert ask(place, "GET", "/api/v1/stream", headers).status == 401


@pytest.mark.parametrize("planted", [f"{COOKIE}=thorp_k00000000_{'A' * 43}; Path=/", f"{COOKIE}=thorp_x; Path=/"])
def test_a_cookie_that_another_page_planted_does_not_lock_the_owner_out(
    home: House, profile: BrowserContext, planted: str
) -> None:
    with elsewhere(planted) as evil:
        page = profile.new_page()
        page.goto(f"http://127.0.0.1:{evil.port}/")
    assert cookie_of(profile)
    page.goto(home.tcp.origin)
    token = home.session()
    status = page.evaluate(
        "async (token) => (await fetch('/api/v1/status', { headers: { Authorization: `Bearer ${token}` } })).status",
        token,
    )
    assert status == 200


MARKUP = """'"--></title><img src=x onerror="document.title='taken over'">"""  # a name has at most 64


def test_markup_in_the_name_of_a_node_is_text_on_every_page(home: House, profile: BrowserContext) -> None:
    assert home.owner("PUT", "/api/v1/config/node.name", {"value": MARKUP}).status == 200
    page = sign_in(home, profile)
    try:
        assert MARKUP in page.get_by_role("main").inner_text()
        assert page.title() != "taken over"
        assert page.locator("main img, main script").count() == 0
        page.goto(home.owner("POST", "/api/v1/login/codes").json["url"])
        page.get_by_text("onerror").first.wait_for(state="attached")
        assert page.title() != "taken over"
        assert page.locator("img[src=x]").count() == 0
    finally:
        home.owner("DELETE", "/api/v1/config/node.name")


def test_a_secure_cookie_where_the_connection_is(home: House) -> None:
    exposed: Place = home.expose()
    code = home.owner("POST", "/api/v1/login/codes", {"anywhere": True}).json["code"]
    answer = ask(
        exposed,
        "POST",
        "/plain/claim",
        [("Content-Type", "application/x-www-form-urlencoded")],
        f"code={code}".encode(),
    )
    flags = {part.strip().partition("=")[0].lower() for part in (answer.get("set-cookie") or "").split(";")[1:]}
    assert flags >= {"secure", "httponly", "samesite", "path", "max-age"}
    home.owner("DELETE", "/api/v1/exposure")
