"""What the page keeps to itself: no foreign request, no script in the page, no way in for other pages."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.attack_page import elsewhere
from tests.e2e.browser import REFUSED, at_door, at_home, door_address, token_of, visiting
from thorp.testing.process import NodeProcess, running_node

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
INLINE = """() => [...document.querySelectorAll("*")].flatMap((one) => [
    ...(one.matches("script:not([src]), style, [style]") ? [one.outerHTML] : []),
    ...[...one.attributes].filter(({ name, value }) => name.startsWith("on") || /^javascript:/i.test(value))
        .map(({ name }) => `${one.tagName} ${name}`),
])"""
SCRIPT = """() => new Promise((resolve) => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "document.title = 'taken over'";
    document.head.append(script);
})"""
ELSEWHERE = """(address) => fetch(address).then(() => "answered", (error) => error.name)"""
INTO = "(markup) => { document.body.innerHTML = markup; }"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("hygiene") / "n") as node:
        yield node


@contextmanager
def foreign() -> Generator[str]:
    """The address of a page of another origin, on this very machine."""
    with elsewhere() as found:
        yield f"http://127.0.0.1:{found.port}"


def check_clean(page: Page) -> None:
    assert page.evaluate(INLINE) == []
    sources = page.evaluate("[...document.scripts].map((one) => new URL(one.src).origin)")
    assert sources == [page.evaluate("location.origin")]


def test_every_request_of_a_whole_visit_goes_to_the_node_and_no_secret_is_in_an_address(
    chromium: Browser, node: NodeProcess
) -> None:
    with visiting(chromium, node.ready.address) as visit:
        page = visit.open()
        at_door(page, "Move in")
        check_clean(page)
        page.goto(node.ready.url)
        at_home(page)
        check_clean(page)
        paths = {asked.partition(visit.origin)[2] for asked in visit.asked}
        assert {path for path in paths if not path.startswith("/assets/")} <= {
            "/",
            "/favicon.svg",
            "/api/v1/claim",
            "/api/v1/stream",
        }
        assert visit.strayed() == []
        assert not any(secret in asked for asked in visit.asked for secret in (node.ready.code or "", token_of(page)))
        assert visit.complaints == []


def test_a_script_that_got_into_the_page_does_not_run_and_reaches_nobody(chromium: Browser, house: NodeProcess) -> None:
    with foreign() as away, visiting(chromium, house.ready.address, tolerates=("Content Security Policy",)) as visit:
        page = at_home(visit.open(door_address(house)))
        assert page.evaluate(SCRIPT) == "script-src-elem"
        assert page.evaluate(ELSEWHERE, away) == "TypeError"
        assert page.title() != "taken over"
        assert len([one for one in visit.complaints if "Content Security Policy" in one]) >= 2
        assert not any(away in asked for asked in visit.asked)


def test_A7_the_dashboard_cannot_be_framed(chromium: Browser, house: NodeProcess) -> None:
    tolerates = ("frame", "status of 403")
    with foreign() as away, visiting(chromium, house.ready.address, tolerates=tolerates) as visit:
        page = visit.open(away)
        with visit.context.expect_console_message(lambda message: "frame" in message.text):
            page.evaluate(INTO, f'<iframe src="{house.ready.address}/"></iframe>')
        expect(page.frame_locator("iframe").locator("body")).to_be_attached()
        inside = page.frames[1]
        assert house.ready.address not in inside.url
        assert inside.locator("#house").count() == 0
        visit.asked.clear()


def test_a_link_on_another_page_leads_to_the_door(chromium: Browser, house: NodeProcess) -> None:
    with foreign() as away, visiting(chromium, house.ready.address) as visit:
        page = visit.open(away)
        visit.asked.clear()
        page.evaluate(INTO, f'<a href="{house.ready.address}/">home</a>')
        page.get_by_role("link").click()
        at_door(page, "Welcome back" if house.status()["claimed"] else "Move in")


def test_a_login_is_refused_as_soon_as_it_is_typed_wrong_too_often(chromium: Browser, node: NodeProcess) -> None:
    for _ in range(10):
        assert node.over_tcp().request("POST", "/api/v1/claim", {"code": "00000000"}).status in {401, 409, 429}
    with visiting(chromium, node.ready.address, tolerates=(REFUSED, "status of 409", "status of 429")) as visit:
        page = visit.open(node.ready.url)
        expect(page.get_by_role("alert")).to_contain_text("Too many wrong codes; what was open is void.")
        fresh = node.thorp("open", "--print").stdout.strip().partition("#code=")[2]
        page.get_by_label("Code", exact=True).fill(fresh)
        page.keyboard.press("Enter")
        at_home(page)
