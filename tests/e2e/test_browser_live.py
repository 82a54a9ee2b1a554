"""What happens on the node is seen in the page, without a reload and without asking again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import cells, mark, picture, sentence, signed_in, visiting, ways_in
from thorp.testing.process import NodeProcess, running_node, until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    home = tmp_path_factory.mktemp("live") / "n"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("[local]\nport = 0\n")  # not a flag, which would win over every change
    with running_node(home, flags=()) as node:
        yield node


def put(node: NodeProcess, key: str, value: object) -> None:
    assert node.owner().request("PUT", f"/api/v1/config/{key}", {"value": value}).status == 200


def take_back(node: NodeProcess, key: str) -> None:
    assert node.owner().request("DELETE", f"/api/v1/config/{key}").status == 200


def in_step(page: Page, node: NodeProcess) -> bool:
    """Whether the page shows what the API says now."""
    status = node.status()
    shown = [row[:2] for row in cells(page, "Services")]
    doors = [row[2] for row in ways_in(page)]
    return (
        page.locator(".machine-name").inner_text() == status["node"]["name"]
        and shown == [[one["name"], one["state"]] for one in status["services"]]
        and doors == [one["address"] for one in status["listeners"]]
        and page.locator(".chip").all_inner_texts() == status["config"]["needs_restart"]
    )


def test_a_new_name_is_seen_everywhere_at_once(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address) as visit:
        page = signed_in(visit, house)
        still_the_same = mark(page)
        put(house, "node.name", "kitchen <b>& cellar</b>")
        for place in (".machine-name", ".rail-foot .node-name"):
            expect(page.locator(place)).to_have_text("kitchen <b>& cellar</b>")
        expect(page).to_have_title("Home · kitchen <b>& cellar</b>")
        assert in_step(page, house)
        take_back(house, "node.name")
        until(lambda: in_step(page, house), "the page shows the old name again")
        assert still_the_same()


def test_exposure_is_seen_when_it_opens_and_when_it_closes(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address) as visit:
        page = signed_in(visit, house)
        still_the_same = mark(page)
        expect(sentence(page)).to_have_text("Everything runs. Only this machine can reach your node.")
        opened = house.owner().request("POST", "/api/v1/exposure", {"host": "127.0.0.1", "port": 0})
        assert opened.status == 201
        address = opened.data["address"]
        expect(sentence(page)).to_have_text(f"Everything runs. Your network can reach your node at {address}.")
        until(lambda: in_step(page, house), "the page shows the way in")
        assert ["Your network", "open", address, "other devices, with a key"] in ways_in(page)
        picture(page, "home-exposed")
        assert house.owner().request("DELETE", "/api/v1/exposure").status == 200
        expect(page.get_by_text(address)).to_have_count(0)
        until(lambda: in_step(page, house), "the page shows the way in no more")
        assert opened.data["key"] not in page.content()
        assert still_the_same()


def test_a_change_that_needs_a_restart_says_so_until_it_is_taken_back(chromium: Browser, house: NodeProcess) -> None:
    with visiting(chromium, house.ready.address) as visit:
        page = signed_in(visit, house)
        still_the_same = mark(page)
        waiting = page.get_by_role("region", name="Needs attention")
        expect(waiting).to_have_count(0)
        put(house, "local.port", 18737)
        expect(waiting).to_contain_text("One setting waits for a restart: local.port")
        expect(waiting).to_contain_text("thorp down")
        put(house, "models.dir", "/elsewhere")
        expect(waiting).to_contain_text("2 settings wait for a restart:")
        assert in_step(page, house)
        picture(page, "home-needs-restart")
        put(house, "local.port", 0)
        take_back(house, "models.dir")
        expect(waiting).to_have_count(0)
        assert still_the_same()


def test_all_this_comes_over_one_stream_and_a_key_made_meanwhile_is_not_in_the_page(
    chromium: Browser, house: NodeProcess
) -> None:
    with visiting(chromium, house.ready.address) as visit:
        page = signed_in(visit, house)
        asked = list(visit.asked)
        key = house.key("node:read", name="for a lamp")
        assert house.owner().request("DELETE", f"/api/v1/keys/{key['id']}").status == 200
        put(house, "models.dir", "/elsewhere")  # told after the two changes of the key
        expect(page.locator(".chip")).to_have_text("models.dir")
        take_back(house, "models.dir")
        expect(page.locator(".chip")).to_have_count(0)
        timer = page.get_by_role("timer")
        before = timer.inner_text()
        expect(timer).not_to_have_text(before)  # the time it runs goes on without asking
        assert visit.asked == asked
        assert key["key"] not in page.content()
