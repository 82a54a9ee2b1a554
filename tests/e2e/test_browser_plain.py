"""The pages that work without JavaScript: claim, status, leave; and nothing of them can be read by a script."""

import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import DESK, SMALLEST, Visit, axe_findings, picture, visiting
from thorp.testing.process import NodeProcess, running_node

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("plain") / "n") as node:
        yield node


def sign_in(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in").click()


def fresh_code(node: NodeProcess) -> str:
    return node.owner().request("POST", "/api/v1/login/codes").data["code"]


def shown_to(node: NodeProcess, cookie: str) -> int:
    """What the node answers to who holds this cookie, in whatever browser."""
    with closing(HTTPConnection("127.0.0.1", node.port)) as connection:
        connection.request("GET", "/plain/status", headers={"Cookie": f"thorp_session={cookie}"})
        return connection.getresponse().status


def plain_status(visit: Visit, node: NodeProcess) -> Page:
    page = visit.open(f"{node.ready.address}/plain/claim")
    sign_in(page, fresh_code(node))
    expect(page).to_have_url(f"{node.ready.address}/plain/status")
    return page


def test_without_javascript_a_person_claims_reads_the_status_and_leaves(chromium: Browser, node: NodeProcess) -> None:
    with visiting(chromium, node.ready.address, java_script_enabled=False, tolerates=("status of 401",)) as visit:
        page = visit.open()
        heading = page.get_by_role("heading", level=1, name="Thorp")
        left = heading.evaluate("one => one.getBoundingClientRect().left")
        assert left > DESK["width"] / 5  # a column in the middle, as on the plain pages
        picture(page, "no-script")
        page.get_by_role("link", name="claim the node").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Claim this node")
        assert page.get_by_role("heading", level=1).evaluate("one => one.getBoundingClientRect().left") == left
        sign_in(page, "00000000")
        expect(page.get_by_role("alert")).to_contain_text("This code is not valid. 9 tries are left.")
        picture(page, "plain-refused")
        sign_in(page, (node.ready.code or "").lower())
        expect(page).to_have_url(f"{node.ready.address}/plain/status")
        status = node.status()
        assert status["claimed"] is True
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{status['node']['name']}: status")
        shown = page.locator("body").inner_text()
        for one in status["listeners"]:
            assert one["address"] in shown
        for one in status["services"]:
            expect(page.get_by_role("row", name=re.compile(rf"^{one['name']}\b")).first).to_contain_text(one["state"])
        for one in status["capabilities"]:
            assert one["id"] in shown
        picture(page, "plain-status")

        (cookie,) = visit.context.cookies()
        assert (cookie["name"], cookie["path"]) == ("thorp_session", "/plain")
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert shown_to(node, cookie["value"]) == 200
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        assert visit.context.cookies() == []
        assert shown_to(node, cookie["value"]) == 401
        page.goto(f"{node.ready.address}/plain/status")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_text("To see this page, you have to sign in.")
        assert status["node"]["id"] not in page.content()


def test_the_cookie_of_the_plain_pages_opens_nothing_else_and_no_script_sees_it(
    chromium: Browser, house: NodeProcess
) -> None:
    with visiting(chromium, house.ready.address, tolerates=("status of 401",)) as visit:
        page = plain_status(visit, house)
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("fetch('/api/v1/status').then(({ status }) => status)") == 401
        (cookie,) = visit.context.cookies()
        assert house.over_tcp(cookie["value"]).request("GET", "/api/v1/status").status == 401
        page.goto(f"{house.ready.address}/")
        expect(page.get_by_role("heading", level=1, name="Welcome back")).to_be_visible()


def test_the_plain_pages_fit_the_smallest_screen_and_axe_finds_nothing(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, viewport=SMALLEST) as visit:
        pages = [visit.open(f"{house.ready.address}/plain/claim"), plain_status(visit, house)]
        for page in pages:
            assert page.evaluate("document.documentElement.scrollWidth") == SMALLEST["width"]
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert axe_findings(page) == []
        picture(pages[1], "plain-320-dark")
