from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import STATUS, FakeNode
from tests.cli.terminal import printed_to
from thorp.wire.capabilities.exposure import ExposeAnswer, ExposeRequest

ANSWER = {
    "address": "https://192.0.2.7:8738",
    "fingerprint": "ab" * 32,
    "key": "thorp_k7h3mqx2p_secret",
    "key_id": "k7h3mqx2p",
    "warning": "",
}


@pytest.fixture
def open_node(node: FakeNode) -> FakeNode:
    node.says("POST", "/api/v1/exposure", ANSWER, status=201)
    node.says("DELETE", "/api/v1/exposure", {"was_open": True})
    node.says("GET", "/api/v1/status", STATUS)
    return node


def test_the_address_the_fingerprint_and_the_key_are_shown(thorp: Thorp, open_node: FakeNode) -> None:
    found = thorp("expose")

    for value in ("https://192.0.2.7:8738", "ab" * 32, "thorp_k7h3mqx2p_secret"):
        assert value in found.out
    assert open_node.asked[0].body == {}
    assert thorp("expose", "--json").json == ANSWER
    ExposeAnswer.model_validate(ANSWER)


def test_a_key_that_could_not_be_shown_can_be_revoked(home: Path, open_node: FakeNode) -> None:
    with Path("/dev/full").open("w") as full:
        code, said = printed_to(home, full.fileno(), "expose")

    assert (code, open_node.asked[0].method) == (7, "POST")
    assert "`thorp keys revoke k7h3mqx2p`" in said


def test_every_wish_reaches_the_node(thorp: Thorp, open_node: FakeNode) -> None:
    thorp("expose", "--host", "192.0.2.7", "--port", "9000", "--plain")

    assert open_node.asked[0].body == {"host": "192.0.2.7", "port": 9000, "plain": True}
    ExposeRequest.model_validate(open_node.asked[0].body)


def test_the_node_s_warning_is_passed_on(thorp: Thorp, open_node: FakeNode) -> None:
    open_node.says("POST", "/api/v1/exposure", ANSWER | {"fingerprint": None, "warning": "Readable by all."}, 201)

    assert "Warning: Readable by all." in thorp("expose", "--plain").err


def test_the_node_is_closed_when_that_was_confirmed(thorp: Thorp, open_node: FakeNode) -> None:
    listeners = [one | {"state": "open"} for one in STATUS["listeners"]]
    open_node.says("GET", "/api/v1/status", STATUS | {"listeners": listeners})
    assert thorp("unexpose").code == 2
    assert [one.method for one in open_node.asked] == ["GET"]
    assert "cannot reach the node any more" in thorp("unexpose", "--yes").out
    assert thorp("-q", "unexpose", "--yes").out == ""
    open_node.says("DELETE", "/api/v1/exposure", {"was_open": False})
    assert "closed already" in thorp("unexpose", "--yes").out


def test_nothing_open_is_nothing_to_ask_about(thorp: Thorp, open_node: FakeNode) -> None:
    open_node.says("DELETE", "/api/v1/exposure", {"was_open": False})
    assert "closed already" in thorp("unexpose").out


def test_the_other_device_gets_ready_lines(thorp: Thorp, open_node: FakeNode) -> None:
    said = thorp("expose").err
    assert f"export THORP_URL='https://192.0.2.7:8738#sha256={'ab' * 32}'" in said
    assert "export THORP_KEY=thorp_k7h3mqx2p_secret" in said


def test_a_dry_run_closes_nothing(thorp: Thorp, open_node: FakeNode) -> None:
    assert thorp("unexpose", "--dry-run").out == "Nothing is open.\n"
    listeners = [one | {"state": "open"} for one in STATUS["listeners"]]
    open_node.says("GET", "/api/v1/status", STATUS | {"listeners": listeners})

    assert thorp("unexpose", "--dry-run").out == "Would close https://192.0.2.7:8738.\n"
    assert thorp("unexpose", "--dry-run", "--json").json == {"would_close": ["https://192.0.2.7:8738"]}
    assert {asked.method for asked in open_node.asked} == {"GET"}
