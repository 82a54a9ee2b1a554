"""What the page keeps to itself: no foreign request, no script in the page, no way in for other pages."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

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
CROSS = """async ([origin, code]) => {
    const body = JSON.stringify({ code });
    const plain = { method: "POST", mode: "no-cors", body };
    const json = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    const gone = (error) => error.name;
    const tried = [
        fetch(`${origin}/api/v1/claim`, plain),
        fetch(`${origin}/api/v1/claim`, json),
        fetch(`${origin}/api/v1/claim`),
        fetch(`${origin}/api/v1/stream`, { headers: { Accept: "text/event-stream" } }),
    ];
    const seen = await Promise.all(tried.map((one) => one.then(({ type }) => type, gone)));
    const source = new EventSource(`${origin}/api/v1/stream`);
    const stream = await new Promise((resolve) => {
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("error");
    });
    source.close();
    return [...seen, stream];
}"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("hygiene") / "n") as node:
        yield node


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else, on this very machine."""

    def __init__(self, page: str, *arguments: Any) -> None:
        self.page = page.encode()
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def foreign(page: str) -> Generator[str]:
    """The address of another origin that shows `page`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Elsewhere, page)) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


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
    with foreign("") as away, visiting(chromium, house.ready.address, tolerates=("Content Security Policy",)) as visit:
        page = at_home(visit.open(door_address(house)))
        assert page.evaluate(SCRIPT) == "script-src-elem"
        assert page.evaluate(ELSEWHERE, away) == "TypeError"
        assert page.title() != "taken over"
        assert len([one for one in visit.complaints if "Content Security Policy" in one]) >= 2
        assert not any(away in asked for asked in visit.asked)


def test_A7_the_dashboard_cannot_be_framed(chromium: Browser, house: NodeProcess) -> None:
    frame = f'<!doctype html><title>Elsewhere</title><iframe src="{house.ready.address}/"></iframe>'
    with foreign(frame) as away, visiting(chromium, away, tolerates=("frame", "status of 403")) as visit:
        page = visit.open()
        expect(page.frame_locator("iframe").locator("body")).to_be_attached()
        inside = page.frames[1]
        assert house.ready.address not in inside.url
        assert inside.locator("#house").count() == 0
        assert any("frame" in one for one in visit.complaints)
        visit.asked = [asked for asked in visit.asked if asked != f"GET {house.ready.address}/"]


def test_A4_A5_a_page_of_another_origin_gets_nothing_and_changes_nothing(chromium: Browser, node: NodeProcess) -> None:
    tolerates = ("CORS", "Failed to load resource", "status of 4", "EventSource")
    with foreign("<!doctype html><title>Elsewhere</title>") as away:
        with visiting(chromium, away, tolerates=tolerates) as visit:
            page = visit.open()
            seen = page.evaluate(CROSS, [node.ready.address, node.ready.code])
            assert seen[1:] == ["TypeError", "TypeError", "TypeError", "error"]
            assert seen[0] in {"TypeError", "opaque"}  # sent, but neither heard nor readable
            visit.asked.clear()
        with visiting(chromium, node.ready.address) as visit:
            at_home(visit.open(node.ready.url))  # the code was not used up


def test_a_link_on_another_page_leads_to_the_door(chromium: Browser, house: NodeProcess) -> None:
    link = f'<!doctype html><title>Elsewhere</title><a href="{house.ready.address}/">home</a>'
    with foreign(link) as away, visiting(chromium, house.ready.address) as visit:
        page = visit.open(away)
        visit.asked.clear()
        page.get_by_role("link").click()
        at_door(page, "Welcome back" if house.status()["claimed"] else "Move in")


def test_a_form_on_another_page_signs_nobody_in(chromium: Browser, node: NodeProcess) -> None:
    form = (
        f'<!doctype html><title>Elsewhere</title><form method="post" action="{node.ready.address}/plain/claim">'
        f'<input name="code" value="{node.ready.code}"><button>win a prize</button></form>'
    )
    with (
        foreign(form) as away,
        visiting(chromium, node.ready.address, tolerates=("status of 403", "/favicon.ico")) as visit,
    ):
        page = visit.open(away)
        visit.asked.clear()
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("net.cross_origin")
        assert visit.context.cookies() == []
        assert node.over_tcp().request("GET", "/api/v1/claim").data == {"claimed": False}


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
