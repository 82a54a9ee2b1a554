"""Everybody can use the dashboard: on the smallest phone, by keyboard alone, in German, in the dark, without motion."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import (
    CUT,
    DESK,
    ENDED,
    ROOT,
    SMALLEST,
    at_door,
    at_home,
    axe_findings,
    cells,
    door_address,
    picture,
    sentence,
    signed_in,
    visiting,
    ways_in,
)
from thorp.testing.process import NodeProcess, running_node

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
GERMAN: dict[str, str] = json.loads((ROOT / "webui/src/words/phrases.de.json").read_text())
LONG_NAME = "kitchen-" + "w" * 56
MOST_STOPS = 40
PAPER = {"light": "rgb(250, 248, 244)", "dark": "rgb(21, 23, 26)"}
FOCUS = """() => {
    const at = document.activeElement, look = getComputedStyle(at), box = at.getBoundingClientRect();
    const inside = box.width > 0 && box.height > 0 && box.top >= 0 && box.left >= 0
        && box.bottom <= innerHeight && box.right <= innerWidth;
    return {
        name: (at.getAttribute("aria-label") ?? at.innerText).trim(),
        ring: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2,
        inside,
    };
}"""
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).clipPath === "none")
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map((one) => `${one.tagName}.${one.className}: ${one.textContent}`)"""
COVERED = """() => document.querySelector(".content > :last-child").getBoundingClientRect().bottom
    > document.querySelector(".rail").getBoundingClientRect().top"""
HAND = 20  # px: about a line
WIDE = {"width": 1920, "height": 1080}
HOLE = """(card) => {
    const bottom = (one) => one.getBoundingClientRect().bottom;
    const holes = [...card.children].slice(1)
        .map((one, at) => one.getBoundingClientRect().top - bottom(card.children[at]));
    return Math.max(...holes, bottom(card) - bottom(card.lastElementChild));
}"""
OFF_CENTRE = """() => {
    const [room, home] = [".content", ".home"].map((one) => document.querySelector(one).getBoundingClientRect());
    return (home.left - room.left) - (room.right - home.right);
}"""
LINES = """(one) => {
    const words = document.createRange();
    words.selectNodeContents(one);
    return new Set([...words.getClientRects()].map(({ bottom }) => Math.round(bottom))).size;
}"""
MOVING = """() => [...document.querySelectorAll("body *")].filter((one) => {
    const look = getComputedStyle(one);
    return look.animationName !== "none" || look.transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
}).length"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with everything at once that makes a page long: a long name, a restart to do, an open way in."""
    home = tmp_path_factory.mktemp("reach") / "n"
    with running_node(home) as node:
        for key, value in (("node.name", LONG_NAME), ("models.dir", "/elsewhere"), ("swarm.encrypt", True)):
            assert node.owner().request("PUT", f"/api/v1/config/{key}", {"value": value}).status == 200
        assert node.owner().request("POST", "/api/v1/exposure", {"host": "127.0.0.1", "port": 0}).status == 201
        yield node


def go_to(page: Page, name: str) -> None:
    """Press Tab until the focus stands on a control; each stop on the way can be seen."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        assert at["ring"], f"nothing shows that the focus is on `{at['name']}`"
        assert at["inside"], f"the focus is on `{at['name']}`, which is out of sight"
        if at["name"] == name:
            return
    raise AssertionError(f"Tab never comes to `{name}`")


def test_by_keyboard_alone_the_node_is_claimed_and_left(chromium: Browser, node: NodeProcess) -> None:
    with visiting(chromium, node.ready.address, tolerates=ENDED) as visit:
        page = visit.open()
        at_door(page, "Move in")
        page.keyboard.type(node.ready.code or "")
        go_to(page, "Claim")
        page.keyboard.press("Enter")
        at_home(page)
        go_to(page, "Go to the content")
        picture(page, "home-keyboard", full=False)
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        go_to(page, "Copy Id")
        page.reload()
        at_home(page)
        go_to(page, "Deutsch")
        page.keyboard.press("Space")
        at_home(page, "Zuhause")
        go_to(page, "Abmelden")
        page.keyboard.press("Enter")
        at_door(page, "Willkommen zurück")


def test_on_the_smallest_screen_nothing_is_wider_and_nothing_is_covered(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, viewport=SMALLEST, tolerates=ENDED) as visit:
        page = visit.open()
        at_door(page, "Move in").fill("00000000")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        assert page.evaluate(TOO_WIDE) == []
        picture(page, "door-320")
        page.goto(door_address(house))
        at_home(page)
        expect(page.get_by_text("2 settings wait for a restart:")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == SMALLEST["width"]
        assert page.evaluate(TOO_WIDE) == []
        picture(page, "home-320")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        assert page.evaluate(COVERED) is False
        page.evaluate("scrollTo(0, 0)")
        go_to(page, page.locator(".node-button").inner_text().strip())
        page.keyboard.press("Enter")
        go_to(page, "Sign out")
        picture(page, "home-320-sheet", full=False)
        assert page.evaluate(TOO_WIDE) == []
        page.keyboard.press("Enter")
        at_door(page, "Welcome back")


def test_german_is_german_down_to_the_numbers(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, locale="de-DE") as visit:
        page = at_home(visit.open(door_address(house)), "Zuhause")
        status = house.status()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.get_by_role("heading", level=2)).to_have_text(
            ["Dieser Rechner", "Zugänge", "Dienste", "Fähigkeiten"]
        )
        exposed = next(one["address"] for one in status["listeners"] if one["kind"] == "exposed")
        expect(sentence(page)).to_have_text(f"Alles läuft. Dein Netz erreicht deinen Knoten unter {exposed}.")
        assert cells(page, "Fähigkeiten") == [
            [one["id"], GERMAN[one["summary"]].replace("`", ""), "gelistet"] for one in status["capabilities"]
        ]
        assert [row[3] for row in ways_in(page, "Zugänge")] == [GERMAN[one["reach"]] for one in status["listeners"]]
        assert page.get_by_text(" MB", exact=False).inner_text().replace(",", "").removesuffix(" MB").isdigit()
        picture(page, "home-german")
        page.get_by_role("button", name="English").click()
        at_home(page)
        page.reload()
        at_home(page)  # the choice was kept
        expect(page.locator("html")).to_have_attribute("lang", "en")


def test_no_card_is_taller_than_what_it_says_and_the_column_stands_in_the_middle(
    chromium: Browser, house: NodeProcess
) -> None:
    with visiting(chromium, house.ready.address, viewport=WIDE) as visit:
        page = signed_in(visit, house)
        for size in (DESK, WIDE):
            page.set_viewport_size(size)
            assert page.locator(".machine").evaluate(HOLE) < HAND
            assert abs(page.evaluate(OFF_CENTRE)) <= 1
        picture(page, "home-wide")


def test_the_heading_of_the_door_stands_on_one_line_where_there_is_room(chromium: Browser, house: NodeProcess) -> None:
    house.over_tcp().request("POST", "/api/v1/claim", {"code": house.ready.code})  # unless a test before this did
    with visiting(chromium, house.ready.address, locale="de-DE") as visit:
        page = visit.open()
        at_door(page, "Willkommen zurück")
        assert page.get_by_role("heading", level=1).evaluate(LINES) == 1


def test_on_a_phone_what_is_listed_takes_a_line_and_unfolds_while_what_is_not_says_why(
    chromium: Browser, house: NodeProcess
) -> None:
    with visiting(chromium, house.ready.address, viewport=SMALLEST, locale="de-DE", tolerates=(CUT,)) as visit:
        page = visit.context.new_page()
        status = house.status()
        broken = status["capabilities"][-1]
        broken |= {"listed": False, "reason": "not tested yet"}
        snapshot = f"event: snapshot\nid: 1\ndata: {json.dumps(status)}\n\n"
        page.route(
            "**/api/v1/stream",
            lambda route: route.fulfill(body=snapshot, headers={"Content-Type": "text/event-stream"}),
        )
        page.goto(door_address(house))
        at_home(page, "Zuhause")
        rows = page.get_by_role("table", name="Fähigkeiten").locator("tbody tr")
        count = len(status["capabilities"])
        expect(page.get_by_text(f"{count - 1} von {count} gelistet")).to_be_visible()
        expect(rows.first).to_contain_text(broken["id"])
        for word in ("nicht gelistet", "noch nicht geprüft", GERMAN[broken["summary"]].split("`")[0]):
            expect(rows.first.get_by_text(word)).to_be_visible()
        assert rows.locator(".name code").evaluate_all(f"all => all.slice(1).map({LINES})") == [1] * (count - 1)
        summaries = rows.locator(".summary:not(.wanting)")
        assert summaries.evaluate_all("all => all.filter((one) => one.checkVisibility()).length") == 0
        assert rows.evaluate_all("all => Math.max(...all.slice(1).map((one) => one.offsetHeight))") < 3 * HAND
        picture(page, "home-320-wanting")
        page.get_by_role("button", name="Zeigen, was sie tun").click()
        expect(page.get_by_role("button", name="Nur die Namen zeigen")).to_be_visible()
        assert summaries.evaluate_all("all => all.filter((one) => one.checkVisibility()).length") == count - 1
        assert page.evaluate(TOO_WIDE) == []


def test_an_id_breaks_before_its_version_and_nowhere_in_it(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, viewport=SMALLEST) as visit:
        page = signed_in(visit, house)
        cell = page.get_by_role("table", name="Capabilities").locator(".name").filter(has_text="node.capabilities@1.0")
        width = cell.locator("code").evaluate("one => one.getBoundingClientRect().width")
        cell.evaluate("(one, width) => { one.style.width = `${width - 4}px`; }", width)
        assert cell.locator("code").evaluate(LINES) == 2
        assert cell.locator(".unbroken").evaluate(LINES) == 1
        expect(cell.locator(".unbroken")).to_have_text("@1.0")


def test_darkness_and_motion_follow_the_system_without_a_reload(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, color_scheme="dark", reduced_motion="reduce") as visit:
        page = signed_in(visit, house)
        expect(page.locator("body")).to_have_css("background-color", PAPER["dark"])
        assert page.evaluate(MOVING) == 0
        picture(page, "home-dark")
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        expect(page.locator("body")).to_have_css("background-color", PAPER["light"])
        assert page.evaluate(MOVING) > 0


def every_axe_finding(page: Page) -> list[str]:
    """In both themes, on a desk and on the smallest phone."""
    found: list[str] = []
    for size in (DESK, SMALLEST):
        page.set_viewport_size(size)
        for scheme in PAPER:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{scheme} {size['width']}: {one}" for one in axe_findings(page)]
    return found


def test_axe_finds_nothing_at_the_door_and_at_home(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, tolerates=ENDED) as visit:
        page = visit.open()
        page.get_by_label("Code", exact=True).fill("00000000")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        assert every_axe_finding(page) == []
        page.goto(door_address(house))
        at_home(page)
        assert every_axe_finding(page) == []
        page.locator(".node-button").click()
        assert axe_findings(page) == []


def test_axe_finds_nothing_while_the_node_is_away(chromium: Browser, node: NodeProcess) -> None:
    tolerates = (CUT, "net::ERR_CONNECTION")
    with visiting(chromium, node.ready.address, reduced_motion="reduce", tolerates=tolerates) as visit:
        page = signed_in(visit, node)
        node.end()
        page.get_by_role("button", name="Try now").wait_for()
        assert axe_findings(page) == []
