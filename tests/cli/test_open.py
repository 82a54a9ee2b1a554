import webbrowser

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import STATUS, FakeNode
from thorp.cli.when import when

ANSWER = {"code": "7H3MQX2P", "url": "http://127.0.0.1:8737/#code=7H3MQX2P", "expires": "2026-11-20T10:15:00.000Z"}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, node: FakeNode) -> list[str]:
    """A browser that notes what it should show."""
    node.says("POST", "/api/v1/login/codes", ANSWER, status=201)
    seen: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not seen.append(url))
    return seen


def test_the_dashboard_opens_where_there_is_a_display(thorp: Thorp, opened: list[str]) -> None:
    found = thorp("open", DISPLAY=":0")

    assert opened == [ANSWER["url"]]
    assert (found.code, found.out) == (0, "")
    assert "opens in your browser" in found.err


@pytest.mark.parametrize(("arguments", "display"), [((), ""), (("--print",), ":0")])
def test_elsewhere_the_address_is_printed(
    thorp: Thorp, opened: list[str], arguments: tuple[str, ...], display: str
) -> None:
    found = thorp("open", *arguments, DISPLAY=display)

    assert opened == []
    assert found.out == f"{ANSWER['url']}\n"
    assert found.err == f"Works once, until {when(ANSWER['expires'])}.\n"


def test_a_code_for_anywhere_is_printed_to_be_typed_elsewhere(thorp: Thorp, opened: list[str], node: FakeNode) -> None:
    found = thorp("open", "--anywhere", DISPLAY=":0")

    assert opened == []
    assert found.out == f"{ANSWER['code']}\n"
    assert f"until {when(ANSWER['expires'])}." in found.err
    assert node.asked[0].body == {"anywhere": True}


@pytest.mark.parametrize(("state", "alone"), [("closed", True), ("open", False)])
def test_who_wants_in_from_elsewhere_is_told_of_a_closed_node(
    thorp: Thorp, opened: list[str], node: FakeNode, state: str, *, alone: bool
) -> None:
    listeners = [STATUS["listeners"][0], STATUS["listeners"][1] | {"state": state}]
    node.says("GET", "/api/v1/status", STATUS | {"listeners": listeners})
    found = thorp("open", "--anywhere")

    assert opened == []
    assert ("Nobody elsewhere reaches this node yet; `thorp expose`" in found.err) is alone
    assert "Nobody elsewhere" not in thorp("open", "--anywhere", "--json").err
    assert "Nobody elsewhere" not in thorp("open", "--print").err


def test_with_json_the_answer_is_printed(thorp: Thorp, opened: list[str]) -> None:
    assert thorp("open", "--json", DISPLAY=":0").json == ANSWER
    assert opened == []


def test_a_browser_that_does_not_start_leaves_the_address(
    thorp: Thorp, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    assert thorp("open", DISPLAY=":0").out == f"{ANSWER['url']}\n"
    assert opened == []


def test_the_help_says_how_long_the_address_works(thorp: Thorp) -> None:
    assert "once, for 15 minutes" in " ".join(thorp("open", "--help").out.split())
