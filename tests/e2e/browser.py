"""Debian's Chromium on the dashboard of a real node.

What a browser asks for and complains about is written down; a visit that left its node, or met an error nobody
expected, fails at its end whatever else it proved.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from thorp.testing.process import NodeProcess

ROOT: Final = Path(__file__).parents[2]
PATIENCE_MS: Final = 30_000  # until what does not come fails the test; nothing is measured by it
REPORTS: Final = ROOT / "reports" / "browser"  # pictures, for people to look at
AXE: Final = ROOT / "webui/node_modules/axe-core/axe.min.js"
DESK: Final = {"width": 1280, "height": 800}
SMALLEST: Final = {"width": 320, "height": 640}
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASS: Final = "thorp.pass"
REFUSED: Final = "status of 401"  # what Chromium itself writes about a refusal,
CUT: Final = "net::ERR_INCOMPLETE_CHUNKED_ENCODING"  # about a stream that was cut,
ENDED: Final = (REFUSED, CUT)  # hence about the end of a login,
AWAY: Final = (CUT, "net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET")  # and about a node that is gone


@contextmanager
def chromium(home: Path) -> Generator[Browser]:
    """One browser for many visits; it sees nothing of the person who runs the tests."""
    found = shutil.which("chromium")
    assert found, "these tests drive Chromium; on Debian: apt install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, env=environment)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A browser profile of its own, empty at first, and what it did."""

    context: BrowserContext
    origin: str
    tolerates: tuple[str, ...]
    asked: list[str] = field(default_factory=list[str])  # method and address of every request
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("request", self._hear_request)
        self.context.on("console", self._hear_console)
        self.context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def _hear_request(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.url}")

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def open(self, address: str = "") -> Page:
        """A new tab."""
        page = self.context.new_page()
        page.goto(address or f"{self.origin}/")
        return page

    def count(self, method: str, path: str) -> int:
        """How many of these requests were made."""
        return self.asked.count(f"{method} {self.origin}{path}")

    def strayed(self) -> list[str]:
        """Requests to anybody but the node."""
        return [asked for asked in self.asked if not asked.partition(" ")[2].startswith(f"{self.origin}/")]

    def unexpected(self) -> list[str]:
        return [one for one in self.complaints if not any(word in one for word in self.tolerates)]

    def settle(self) -> None:
        assert not self.strayed(), self.strayed()
        assert not self.unexpected(), self.unexpected()


@contextmanager
def visiting(
    browser: Browser, origin: str, *, tolerates: tuple[str, ...] = (), viewport: dict[str, int] = DESK, **options: Any
) -> Generator[Visit]:
    """A visit to one node, judged at its end. A failure leaves pictures of what stood there."""
    context = browser.new_context(viewport=viewport, **{"locale": "en-GB", **options})
    visit = Visit(context, origin, tolerates)
    try:
        yield visit
        visit.settle()
    except BaseException:
        test = re.sub(r"\W+", "-", os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2]).strip("-")
        for number, page in enumerate(context.pages):
            picture(page, f"failed-{test}-{number}")
        raise
    finally:
        context.close()


def picture(page: Page, name: str, *, full: bool = True) -> None:
    """Keep what the page looks like now."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=REPORTS / f"{name}.png", full_page=full, animations="disabled")


def door_address(node: NodeProcess) -> str:
    """An address with a fresh code, as `thorp open` would open it."""
    return node.owner().request("POST", "/api/v1/login/codes").data["url"]


def at_home(page: Page, title: str = "Home") -> Page:
    """The page once it shows the node."""
    expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
    page.locator(".machine-name").wait_for()
    return page


def signed_in(visit: Visit, node: NodeProcess) -> Page:
    return at_home(visit.open(door_address(node)))


def at_door(page: Page, title: str) -> Locator:
    """The field for the code, once the door says what it has to."""
    expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
    field = page.get_by_label("Code", exact=True)
    expect(field).to_be_focused()
    return field


def sentence(page: Page) -> Locator:
    """The one sentence of state below the title."""
    return page.locator(".sentence")


def token_of(page: Page) -> str:
    """The login this tab holds; empty when it holds none."""
    kept = page.evaluate(f"sessionStorage.getItem('{PASS}')")
    return json.loads(kept)["token"] if kept else ""


def mark(page: Page) -> Callable[[], bool]:
    """Answers later whether this is still the same page: a reload forgets the mark."""
    page.evaluate("window.thorpMark = true")
    return lambda: bool(page.evaluate("window.thorpMark === true"))


def cells(page: Page, table: str) -> list[list[str]]:
    """A table as text, row by row."""
    rows = page.get_by_role("table", name=table).locator("tbody tr")
    return rows.evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))")


def ways_in(page: Page, region: str = "Ways in") -> list[list[str]]:
    """Each way in as its texts: what it is, its state, its address, who reaches it."""
    items = page.get_by_role("region", name=region).get_by_role("listitem")
    return items.evaluate_all("items => items.map(item => [...item.children].map(part => part.textContent))")


def facts(page: Page) -> dict[str, str]:
    """The facts about the machine."""
    pairs = page.locator("dl div").evaluate_all(
        "all => all.map(one => [one.querySelector('dt').textContent, one.querySelector('dd').textContent])"
    )
    return dict(pairs)


def axe_findings(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it stands, by rule and place."""
    assert AXE.is_file(), "axe-core is missing; run script/check, which installs the dashboard's tools"
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['impact']}: {one['id']}: {part['target']}: {part['failureSummary']}"
        for one in found["violations"]
        for part in one["nodes"]
    ]
