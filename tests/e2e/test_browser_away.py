"""The node goes away under an open page and comes back: the page says so in words and goes on by itself."""

import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import (
    AWAY,
    REFUSED,
    Visit,
    at_door,
    at_home,
    cells,
    door_address,
    facts,
    mark,
    picture,
    sentence,
    signed_in,
    token_of,
    visiting,
)
from thorp.testing.process import NodeProcess, running_node, until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
GONE = {
    signal.SIGTERM: "This page goes on when it is back.",
    signal.SIGKILL: "The node does not answer since ",
}
UNCLEAN = "The node did not stop cleanly last time."


def again(node: NodeProcess) -> tuple[str, str]:
    """Flags to start the next node where this one was."""
    return "--port", str(node.port)


def check_away(page: Page, number: signal.Signals, name: str) -> None:
    """What was known stays, and nothing of it claims to be so still."""
    expect(sentence(page)).to_contain_text(GONE[number])
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    expect(page).to_have_title(f"Home · {name} (no answer)")
    expect(page.locator(".rail-foot .state")).to_have_text("no answer")
    expect(page.locator("svg.lit")).to_have_count(0)
    expect(page.locator(".machine-name")).to_have_text(name)
    fills = "all => [...new Set(all.map(dot => getComputedStyle(dot).backgroundColor))]"
    until(lambda: page.locator(".content .dot").evaluate_all(fills) == ["rgba(0, 0, 0, 0)"], "every dot is hollow")


@pytest.mark.parametrize("number", list(GONE), ids=lambda number: number.name)
def test_a_page_outlives_its_node_and_goes_on_with_the_next(
    chromium: Browser, home: Path, number: signal.Signals
) -> None:
    with running_node(home) as node, visiting(chromium, node.ready.address, tolerates=AWAY) as visit:
        page = signed_in(visit, node)
        still_the_same, token, name = mark(page), token_of(page), node.ready.name
        node.end(number)
        check_away(page, number, name)
        picture(page, f"home-away-{number.name}", full=False)
        with running_node(home, flags=again(node)) as after:
            expect(sentence(page)).to_contain_text("The node is back. It was away for ")
            expect(page.get_by_role("button", name="Try now")).to_have_count(0)
            status = after.status()
            assert facts(page)["Process"] == str(status["node"]["pid"])
            assert [row[:2] for row in cells(page, "Services")] == [
                [one["name"], one["state"]] for one in status["services"]
            ]
            expect(page).to_have_title(f"Home · {name}")
            expect(page.get_by_text(UNCLEAN)).to_have_count(1 if status["stopped_cleanly"] is False else 0)
            assert (status["stopped_cleanly"] is False) == (number == signal.SIGKILL)
            if number == signal.SIGKILL:
                picture(page, "home-back", full=False)
            assert (still_the_same(), token_of(page)) == (True, token)
            assert visit.count("POST", "/api/v1/login") + visit.count("POST", "/api/v1/claim") == 1


def stopped_clock(visit: Visit, node: NodeProcess) -> Page:
    """A page whose time stands still once the node is gone: it does nothing unless somebody presses something."""
    page = visit.context.new_page()
    page.clock.install()
    page.goto(door_address(node))
    at_home(page)
    return page


def test_try_now_does_not_wait(chromium: Browser, home: Path) -> None:
    with running_node(home) as node, visiting(chromium, node.ready.address, tolerates=AWAY) as visit:
        page = stopped_clock(visit, node)
        node.end(signal.SIGKILL)
        button = page.get_by_role("button", name="Try now")
        button.wait_for()
        page.clock.pause_at(page.evaluate("Date.now() + 60_000"))
        with running_node(home, flags=again(node)) as after:
            before = visit.count("GET", "/api/v1/stream")
            button.click()
            expect(sentence(page)).to_contain_text("The node is back.")
            assert visit.count("GET", "/api/v1/stream") == before + 1
            assert facts(page)["Process"] == str(after.process.pid)


def test_at_the_door_an_absent_node_is_told_and_the_code_waits_for_it(chromium: Browser, home: Path) -> None:
    with running_node(home) as node, visiting(chromium, node.ready.address, tolerates=AWAY) as visit:
        page = visit.open()
        at_door(page, "Move in").fill("00000000")
        node.end(signal.SIGKILL)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The node does not answer. Try again in a moment.")
        picture(page, "door-no-answer")
        with running_node(home, flags=again(node)) as after:
            page.get_by_label("Code", exact=True).fill(after.ready.code or "")
            page.keyboard.press("Enter")
            at_home(page)


def test_a_login_that_ended_while_the_node_was_away_ends_when_it_is_back(chromium: Browser, home: Path) -> None:
    tolerates = (*AWAY, REFUSED)
    with running_node(home) as node, visiting(chromium, node.ready.address, tolerates=tolerates) as visit:
        page = signed_in(visit, node)
        page.route("**/api/v1/stream", lambda route: route.abort("connectionrefused"))
        assert node.over_tcp(token_of(page)).request("DELETE", "/api/v1/session").status == 204
        page.get_by_role("button", name="Try now").wait_for()
        page.unroute_all()
        at_door(page, "Welcome back")
        assert token_of(page) == ""
