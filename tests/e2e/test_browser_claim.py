"""The way in: a code in the address or typed at the door makes a browser the owner's, once."""

import re
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser import (
    PASS,
    REFUSED,
    Visit,
    at_door,
    at_home,
    cells,
    facts,
    picture,
    token_of,
    visiting,
    ways_in,
)
from thorp.testing.process import NodeProcess

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
KINDS = {"local": "Dashboard and API", "socket": "Command line"}
STATES = {"running": "running", "open": "open"}
WRONG = "00000000"
GERMAN_TITLES = ("Zieh ein", "Willkommen zurück")


def refused(page: Page, code: str, door: str) -> str:
    """Type a code that is not taken; answers with what the API said to it, which stands at the field word by word."""
    page.get_by_label("Code", exact=True).fill(code)
    with page.expect_response(lambda answer: answer.url.endswith(door) and answer.request.method == "POST") as heard:
        page.keyboard.press("Enter")
    said = heard.value.json()["error"]["message"]
    expect(page.get_by_role("alert")).to_have_text(said.replace("`", ""))
    return said


def since(row: dict[str, Any]) -> str:
    return datetime.fromisoformat(row["since"]).strftime("%Y-%m-%dT%H:%M:%S")


def stored(page: Page) -> dict[str, Any]:
    """Everything this origin has left in the browser."""
    return page.evaluate(
        """async () => ({
            session: Object.keys(sessionStorage),
            local: Object.keys(localStorage),
            cookie: document.cookie,
            databases: (await indexedDB.databases()).length,
            caches: (await caches.keys()).length,
            workers: (await navigator.serviceWorker.getRegistrations()).length,
        })"""
    )


def test_the_printed_address_claims_the_node_and_shows_what_its_status_says(
    chromium: Browser, node: NodeProcess
) -> None:
    assert node.ready.code
    with visiting(chromium, node.ready.address) as visit:
        page = at_home(visit.open(node.ready.url))
        status = node.status()
        assert status["claimed"] is True
        assert page.url == f"{node.ready.address}/"
        assert not any(node.ready.code in asked for asked in visit.asked)
        picture(page, "home-light")

        expect(page.locator(".machine-name")).to_have_text(status["node"]["name"])
        expect(page.locator(".machine-id code")).to_have_attribute("title", status["node"]["id"])
        shown = facts(page)
        assert (shown["Version"], shown["Process"]) == (status["node"]["version"], str(status["node"]["pid"]))
        assert cells(page, "Capabilities") == [
            [one["id"], one["summary"].replace("`", ""), "listed"] for one in status["capabilities"]
        ]
        assert [row[:2] for row in cells(page, "Services")] == [
            [one["name"], STATES[one["state"]]] for one in status["services"]
        ]
        exact = page.get_by_role("table", name="Services").locator("time")
        moments = exact.evaluate_all("all => all.map(one => one.dateTime.slice(0, 19))")
        assert moments == [since(one) for one in status["services"]]
        assert ways_in(page) == [
            [KINDS[one["kind"]], STATES[one["state"]], one["address"], one["reach"]] for one in status["listeners"]
        ]
        expect(
            page.get_by_text(f"{len(status['capabilities'])} of {len(status['capabilities'])} listed")
        ).to_be_visible()


def test_the_claim_leaves_a_login_in_this_tab_and_nothing_else_in_the_browser(
    chromium: Browser, node: NodeProcess
) -> None:
    with visiting(chromium, node.ready.address, permissions=["clipboard-read", "clipboard-write"]) as visit:
        page = at_home(visit.open(node.ready.url))
        assert node.over_tcp(token_of(page)).request("GET", "/api/v1/config").status == 200  # the owner's
        nothing = {"cookie": "", "databases": 0, "caches": 0, "workers": 0}
        assert stored(page) == {"session": [PASS], "local": [], **nothing}
        assert visit.context.cookies() == []

        page.get_by_role("button", name="Deutsch").click()
        at_home(page, "Zuhause")
        assert stored(page) == {"session": [PASS], "local": ["thorp.language"], **nothing}
        assert page.evaluate("localStorage.getItem('thorp.language')") == "de"
        assert not any(token_of(page) in asked for asked in visit.asked)

        page.get_by_role("button", name="Kennung kopieren").click()
        expect(page.get_by_role("button", name="Kopiert")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == node.ready.node_id


def test_at_the_bare_address_a_wrong_code_is_told_in_place_and_the_right_one_still_works(
    chromium: Browser, node: NodeProcess
) -> None:
    code = node.ready.code or ""
    with visiting(chromium, node.ready.address, tolerates=(REFUSED,)) as visit:
        page = visit.open()
        at_door(page, "Move in").fill("ABC")
        picture(page, "door-claim")
        before = list(visit.asked)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("A code has 8 letters and digits.")
        assert visit.asked == before  # nothing to ask the node about
        assert "9 tries are left" in refused(page, WRONG, "/api/v1/claim")
        picture(page, "door-refused")
        assert node.over_tcp().request("GET", "/api/v1/claim").data == {"claimed": False}

        page.get_by_label("Code", exact=True).fill("")
        page.keyboard.type(f"{code[:4]} {code[4:]}".lower())
        page.get_by_role("button", name="Claim", exact=True).click()
        at_home(page)
        assert node.over_tcp().request("GET", "/api/v1/claim").data == {"claimed": True}
        assert node.over_tcp(token_of(page)).request("GET", "/api/v1/config").status == 200


ELSEWHERE = "http://attic.example"  # where no name server leads; what is asked there the node answers all the same


def from_elsewhere(visit: Visit, node: NodeProcess) -> Page:
    """The page at an address that is not the machine's own."""

    def lead(route: Route) -> None:
        asked = route.request
        headers = {"Accept": asked.headers.get("accept", "*/*")}
        route.fulfill(response=route.fetch(url=asked.url.replace(ELSEWHERE, node.ready.address), headers=headers))

    visit.context.route(f"{ELSEWHERE}/**", lead)
    visit.origin = ELSEWHERE
    return visit.open()


@pytest.mark.parametrize(("locale", "titles"), [("en", ("Move in", "Welcome back")), ("de", GERMAN_TITLES)])
def test_elsewhere_the_door_names_the_codes_that_count_there_before_the_first_try(
    chromium: Browser, node: NodeProcess, locale: str, titles: tuple[str, str]
) -> None:
    claim = {"code": node.ready.code}
    for title in titles:
        with visiting(chromium, node.ready.address, locale=locale, tolerates=("Cross-Origin-Opener-Policy",)) as visit:
            page = from_elsewhere(visit, node)
            at_door(page, title)
            assert page.locator(".sentence code").all_inner_texts() == ["thorp open --anywhere"]
            assert page.locator(".hint code").all_inner_texts() == ["thorp open --anywhere"]
            assert page.get_by_text(re.compile("need no code|keinen Code")).count() == 0
            picture(page, f"door-elsewhere-{locale}-{titles.index(title)}")
        with visiting(chromium, node.ready.address, locale=locale) as visit:
            at_door(visit.open(), title)
            expect(visit.context.pages[0].get_by_text("--anywhere")).to_have_count(0)
        node.over_tcp().request("POST", "/api/v1/claim", claim)


def test_in_german_a_refusal_at_the_door_is_german(chromium: Browser, node: NodeProcess) -> None:
    tolerates = (REFUSED, "status of 429")
    with visiting(chromium, node.ready.address, locale="de-DE", tolerates=tolerates) as visit:
        page = visit.open()
        alert = page.get_by_role("alert")
        for left in range(9, -1, -1):
            at_door(page, GERMAN_TITLES[0]).fill(WRONG)
            with page.expect_response("**/api/v1/claim"):
                page.keyboard.press("Enter")
            tries = "Ein Versuch bleibt." if left == 1 else f"{left} Versuche bleiben."
            said = (
                f"Dieser Code gilt nicht. {tries}"
                if left
                else "Zu viele falsche Codes; was offen war, gilt nicht mehr."
            )
            expect(alert).to_have_text(f"{said} thorp open macht einen neuen.")
            assert alert.get_attribute("lang") is None
        picture(page, "door-refused-german")


def test_a_claimed_node_asks_for_a_login_code_and_takes_each_once(chromium: Browser, node: NodeProcess) -> None:
    with visiting(chromium, node.ready.address) as first:
        at_home(first.open(node.ready.url))
    code = node.thorp("open", "--print").stdout.strip().partition("#code=")[2]
    assert len(code) == 8
    with visiting(chromium, node.ready.address) as second:
        page = second.open()
        at_door(page, "Welcome back").fill(code)
        picture(page, "door-login")
        page.get_by_role("button", name="Come in").click()
        at_home(page)
        assert node.over_tcp(token_of(page)).request("GET", "/api/v1/config").status == 200
    with visiting(chromium, node.ready.address, tolerates=(REFUSED,)) as third:
        page = third.open(f"{node.ready.address}/#code={code}")
        at_door(page, "Welcome back")
        assert page.url == f"{node.ready.address}/"
        assert "is not valid" in refused(page, code, "/api/v1/login")


def test_a_code_pasted_into_the_address_of_an_open_page_counts_and_vanishes(
    chromium: Browser, node: NodeProcess
) -> None:
    with visiting(chromium, node.ready.address) as visit:
        page = visit.open()
        at_door(page, "Move in")
        page.goto(node.ready.url)  # the same page: only the fragment differs
        at_home(page)
        assert page.url == f"{node.ready.address}/"
