import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Result, Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.terminal import on_a_terminal, printed_to
from thorp.cli.keys import BadExpiryError, moment
from thorp.cli.when import when
from thorp.testing.clock import FakeClock
from thorp.wire.capabilities.keys import KeyRequest, KeysAnswer, NewKeyAnswer

NEW: dict[str, Any] = {
    "id": "k7h3mqx2p",
    "key": "thorp_k7h3mqx2p_secret",
    "name": "laptop",
    "scopes": ["inference"],
    "models": [],
    "rpm": None,
    "created": "2026-11-20T10:00:00.000Z",
    "expires": None,
    "made_by": None,
}
ROW = {name: value for name, value in NEW.items() if name != "key"} | {"revoked": None}


@pytest.fixture
def keys(node: FakeNode) -> FakeNode:
    node.says("GET", "/api/v1/keys", {"keys": [ROW]})
    node.says("POST", "/api/v1/keys", NEW, status=201)
    node.says("DELETE", "/api/v1/keys/k7h3mqx2p", {"id": "k7h3mqx2p", "revoked": "2026-11-20T11:00:00.000Z"})
    return node


def test_a_new_key_alone_goes_to_stdout(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "create", "laptop")

    assert found.out == "thorp_k7h3mqx2p_secret\n"
    assert "shown only now" in found.err
    assert "secret" not in found.err
    assert keys.asked[0].body == {"name": "laptop"}


def test_every_wish_reaches_the_node_as_it_expects_it(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp(
        "keys", "create", "laptop", "--scope", "inference, models:read", "--models", "a,b", "--rpm", "60",
        "--expires", "2027-01-31T12:00:00+01:00", "--json",
    )  # fmt: skip

    assert found.json == NEW
    assert keys.asked[0].body == {
        "name": "laptop",
        "scopes": ["inference", "models:read"],
        "models": ["a", "b"],
        "rpm": 60,
        "expires": "2027-01-31T11:00:00.000Z",
    }
    KeyRequest.model_validate(keys.asked[0].body, strict=False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("30d", 2_592_000), ("6w", 3_628_800), ("1y", 31_536_000)]
)
def test_a_span_ends_that_much_later(text: str, seconds: int) -> None:
    assert moment(text, FakeClock(wall=0)) == moment(f"{seconds // 3600}h", FakeClock(wall=0))
    assert moment("12h", FakeClock(wall=0)) == "1970-01-01T12:00:00.000Z"


@pytest.mark.parametrize("text", ["", "soon", "0d", "-1d", "30", "30 d", "2027-01-31", "2027-01-31T12:00", "٣d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadExpiryError, match=r"`30d`"):
        moment(text, FakeClock())


def test_a_bad_expiry_ends_with_code_2_and_asks_nobody(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "create", "laptop", "--expires", "soon")

    assert found.code == 2
    assert "`soon` is no expiry" in found.err
    assert keys.asked == []


def test_keys_are_listed(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "list").out
    assert "k7h3mqx2p" in found
    assert when(ROW["created"]) in found
    assert "T10:00" not in found
    assert thorp("keys", "list", "--json").json == {"keys": [ROW]}
    keys.says("GET", "/api/v1/keys", {"keys": []})
    assert "There are no keys" in thorp("keys", "list").err


def test_the_answers_here_are_those_that_nodes_give() -> None:
    NewKeyAnswer.model_validate(NEW, strict=False)
    KeysAnswer.model_validate({"keys": [ROW]}, strict=False)


def test_a_key_is_revoked_when_that_was_confirmed(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "revoke", "k7h3mqx2p", "--yes")

    assert found.out == "Revoked the key `laptop` (k7h3mqx2p).\n"
    assert (keys.asked[-1].method, keys.asked[-1].path) == ("DELETE", "/api/v1/keys/k7h3mqx2p")
    assert thorp("-q", "keys", "revoke", "k7h3mqx2p", "--yes") == Result(0, "", "")


def test_nothing_is_revoked_without_a_yes(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "revoke", "k7h3mqx2p")

    assert found.code == 2
    assert "--yes" in found.err
    assert {asked.method for asked in keys.asked} == {"GET"}


def test_a_no_says_that_nothing_was_changed(home: Path, keys: FakeNode) -> None:
    seen = on_a_terminal(home, "keys", "revoke", "k7h3mqx2p", typed="n\n")

    assert seen.endswith("Nothing was changed.\n")
    assert {asked.method for asked in keys.asked} == {"GET"}


def test_neither_yes_nor_no_is_asked_again(home: Path, keys: FakeNode) -> None:
    seen = on_a_terminal(home, "keys", "revoke", "k7h3mqx2p", typed="ja\nYES\n")

    assert seen.count("Revoke the key `laptop` (k7h3mqx2p)? [y/N]: ") == 2
    assert "Type `y` for yes, or `n` for no.\n" in seen
    assert "invalid" not in seen
    assert keys.asked[-1].method == "DELETE"


def test_a_question_that_is_left_ends_its_line(home: Path, keys: FakeNode) -> None:
    seen = on_a_terminal(home, "keys", "revoke", "k7h3mqx2p", typed="\x04")  # the end of what is typed

    assert seen.endswith("[y/N]: \n")
    assert {asked.method for asked in keys.asked} == {"GET"}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_key_that_could_not_be_shown_can_be_revoked(home: Path, keys: FakeNode, more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        code, said = printed_to(home, full.fileno(), "keys", "create", "laptop", *more)

    assert code == 7
    assert "The key k7h3mqx2p was made, but could not be shown." in said
    assert "`thorp keys revoke k7h3mqx2p`" in said
    assert "secret" not in said
    assert len(said.splitlines()) == 1


def test_a_key_that_nobody_reads_is_told_of_too(home: Path, keys: FakeNode) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, said = printed_to(home, writing, "keys", "create", "laptop")
    os.close(writing)

    assert code == 7
    assert "`thorp keys revoke k7h3mqx2p`" in said


def test_keys_are_listed_one_by_one_where_the_terminal_is_narrow(home: Path, keys: FakeNode) -> None:
    keys.says("GET", "/api/v1/keys", {"keys": [ROW, ROW | {"name": "phone", "scopes": ["node:read"]}]})
    seen = on_a_terminal(home, "keys", "list", columns=60, TZ="UTC0")

    assert seen == (
        "id: k7h3mqx2p\nname: laptop\nscopes: inference\ncreated: 2026-11-20 10:00\n\n"
        "id: k7h3mqx2p\nname: phone\nscopes: node:read\ncreated: 2026-11-20 10:00\n"
    )


def test_a_dry_run_says_what_would_go_and_does_nothing(thorp: Thorp, keys: FakeNode) -> None:
    assert thorp("keys", "revoke", "k7h3mqx2p", "--dry-run").out == "Would revoke the key `laptop` (k7h3mqx2p).\n"
    assert thorp("keys", "revoke", "k7h3mqx2p", "--dry-run", "--json").json == {"would_revoke": ROW}
    assert {asked.method for asked in keys.asked} == {"GET"}


def test_an_id_of_no_key_is_not_found(thorp: Thorp, keys: FakeNode) -> None:
    found = thorp("keys", "revoke", "../x", "--yes", "--json")

    assert found.code == 3
    assert found.error["code"] == "cli.no_such_key"
    assert {asked.method for asked in keys.asked} == {"GET"}
