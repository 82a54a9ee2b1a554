"""A login belongs to the open tabs of a browser: it outlives a reload, reaches a new tab, and ends in all of them."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import ENDED, PASS, at_door, at_home, door_address, mark, picture, signed_in, token_of, visiting
from thorp.testing.process import NodeProcess, running_node

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
NEXT_CENTURY = 4_102_444_800_000
PAST = 1
FORGED = f"thorp_s00000000_{'A' * 43}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("sessions") / "n") as node:
        claim = {"code": node.ready.code}
        assert node.over_tcp().request("POST", "/api/v1/claim", claim).status == 201
        yield node


def is_live(node: NodeProcess, token: str) -> bool:
    return node.over_tcp(token).request("GET", "/api/v1/status").status == 200


def keep(page: Page, token: str, expires: int) -> None:
    """What this tab would hold after a login."""
    page.evaluate("([name, kept]) => sessionStorage.setItem(name, kept)", [PASS, json.dumps(kept(token, expires))])


def kept(token: str, expires: int) -> dict[str, object]:
    return {"token": token, "expires": expires}


def test_a_login_outlives_a_reload_and_reaches_a_second_tab_but_no_other_browser(
    chromium: Browser, house: NodeProcess
) -> None:
    with visiting(chromium, house.ready.address) as visit, visiting(chromium, house.ready.address) as stranger:
        first = signed_in(visit, house)
        token = token_of(first)
        first.reload()
        at_home(first)
        assert token_of(first) == token
        second = at_home(visit.open())
        assert token_of(second) == token
        first.close()
        third = at_home(visit.open())  # the second answers now
        assert token_of(third) == token
        assert visit.count("POST", "/api/v1/login") == 1
        at_door(stranger.open(), "Welcome back")


def test_a_tab_that_was_busy_still_signs_the_new_one_in(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address) as visit:
        first = signed_in(visit, house)
        first.evaluate("setTimeout(() => { const end = Date.now() + 1000; while (Date.now() < end); })")
        second = at_home(visit.open())
        assert token_of(second) == token_of(first)
        assert visit.count("POST", "/api/v1/login") == 1


def test_signing_out_in_one_tab_ends_the_login_in_all(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, tolerates=ENDED) as visit:
        first = signed_in(visit, house)
        second = at_home(visit.open())
        still_the_same = mark(second)
        token = token_of(first)
        assert is_live(house, token)
        first.get_by_role("button", name="Sign out").click()
        at_door(first, "Welcome back")
        expect(first.get_by_text("You are signed out.")).to_be_visible()
        picture(first, "door-signed-out")
        assert house.over_tcp(token).request("GET", "/api/v1/status").status == 401
        at_door(second, "Welcome back")
        expect(second.get_by_text("Your login has ended.")).to_be_visible()
        assert still_the_same()
        assert (token_of(first), token_of(second)) == ("", "")
        first.reload()
        at_door(first, "Welcome back")
        first.go_back()
        assert house.status()["node"]["name"] not in first.locator("body").inner_text()


def test_two_browsers_have_logins_of_their_own(chromium: Browser, house: NodeProcess) -> None:
    with (
        visiting(chromium, house.ready.address, tolerates=ENDED) as one,
        visiting(chromium, house.ready.address) as other,
    ):
        mine, yours = signed_in(one, house), signed_in(other, house)
        assert token_of(mine) != token_of(yours)
        mine.get_by_role("button", name="Sign out").click()
        at_door(mine, "Welcome back")
        assert is_live(house, token_of(yours))
        expect(yours.locator(".machine-name")).to_be_visible()


def end_by_itself(node: NodeProcess, token: str) -> int:
    return node.over_tcp(token).request("DELETE", "/api/v1/session").status


def end_by_the_owner(node: NodeProcess, token: str) -> int:
    return node.owner().request("DELETE", f"/api/v1/sessions/{token.split('_')[1]}").status


@pytest.mark.parametrize(("end", "status"), [(end_by_itself, 204), (end_by_the_owner, 200)])
def test_A20_a_login_that_was_ended_elsewhere_leads_to_the_door_at_once(
    chromium: Browser, house: NodeProcess, end: Callable[[NodeProcess, str], int], status: int
) -> None:
    with visiting(chromium, house.ready.address, tolerates=ENDED) as visit:
        page = signed_in(visit, house)
        still_the_same, token = mark(page), token_of(page)
        assert end(house, token) == status
        at_door(page, "Welcome back")
        expect(page.get_by_text("Your login has ended.")).to_be_visible()
        expect(page.locator(".machine-name")).to_have_count(0)
        assert token_of(page) == ""
        assert not is_live(house, token)
        assert still_the_same()


def test_in_german_too_an_ended_login_is_not_said_to_have_run_out(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, locale="de-DE", tolerates=ENDED) as visit:
        page = at_home(visit.open(door_address(house)), "Zuhause")
        assert end_by_the_owner(house, token_of(page)) == 200
        at_door(page, "Willkommen zurück")
        expect(page.locator(".arrival")).to_have_text("Deine Anmeldung gilt nicht mehr.")


def test_a_login_that_is_none_opens_nothing(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address, tolerates=ENDED) as visit:
        page = visit.open()
        at_door(page, "Welcome back")
        for expires, asked in ((PAST, 0), (NEXT_CENTURY, 1)):
            keep(page, FORGED, expires)
            page.reload()
            at_door(page, "Welcome back")
            assert visit.count("GET", "/api/v1/stream") == asked  # an expired one is not even shown to the node
            expect(page.locator(".machine-name")).to_have_count(0)
            assert token_of(page) in ("", FORGED)
