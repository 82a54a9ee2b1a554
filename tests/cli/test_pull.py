import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import (
    DONE,
    GOOD,
    HERE_ALREADY,
    HIT,
    ID,
    LARGE,
    OTHER_HIT,
    PULLED,
    REF,
    SMALL,
    Row,
    resolved,
    transfer,
)
from tests.cli.terminal import on_a_terminal
from thorp.base.errors import InternalError
from thorp.cli.caller import STREAM
from thorp.wire.capabilities.models import PullAnswer, PullRequest, ResolveAnswer, ResolveRequest

WHOLE = "Pulled qwen2.5:0.5b:instruct:q8_0, 676 MB, in 0 s."


def follows(node: FakeNode, *rows: Row) -> None:
    first, *others = rows
    changes = [("change", {"kind": "transfer.changed"} | row) for row in others]
    node.streams(STREAM, [("snapshot", {"transfers": [first], "limit": 0}), *changes], "GET")


@pytest.fixture
def hub(node: FakeNode) -> FakeNode:
    node.offers("model.resolve", resolved(GOOD))
    node.offers("model.pull", PULLED)
    follows(node, transfer(), DONE)
    return node


def test_a_pull_ends_with_one_line(thorp: Thorp, hub: FakeNode) -> None:
    shown = thorp("pull", "qwen", "--limit", "1.5M", "--revision", "main", "--from", "hub")

    assert shown.code == 0
    assert shown.out == f"{WHOLE} `thorp models show {REF}` says where it lies.\n"
    assert shown.err == f"{REF}: 676 MB, licence apache-2.0.\n"
    (asked,) = hub.called("model.pull")
    assert asked == {"ref": GOOD["ref"], "revision": "main", "from": "hub", "limit": 1_500_000}
    PullRequest.model_validate(asked)
    ResolveRequest.model_validate(hub.called("model.resolve")[0])


def test_with_json_each_line_is_an_object_and_the_last_says_what_is_here(thorp: Thorp, hub: FakeNode) -> None:
    shown = thorp("pull", "qwen", "--json")
    rows = [json.loads(line) for line in shown.out.splitlines()]

    assert rows[:2] == [transfer(), DONE]
    assert rows[2]["state"] == "done"
    assert rows[2]["model_id"] == PULLED["model_id"]
    assert shown.err == ""


def test_what_is_here_already_is_told_at_once(thorp: Thorp, hub: FakeNode) -> None:
    hub.offers("model.pull", HERE_ALREADY)
    hub.offers("model.resolve", resolved(GOOD, in_library=True))
    shown = thorp("pull", "qwen")

    assert shown.out.startswith("Here already: qwen2.5:0.5b:instruct:q8_0, 676 MB.")
    assert shown.err == ""
    assert thorp("pull", "qwen", "--json").json == HERE_ALREADY


def test_without_a_node_what_is_here_is_found_without_any_work(thorp: Thorp) -> None:
    thorp.here.whole = HERE_ALREADY

    assert thorp("pull", "qwen", "--json").json == HERE_ALREADY
    assert thorp.here.work.asked == []
    assert thorp.here.started == []


def test_without_a_person_several_are_an_error_that_lists_them(thorp: Thorp, hub: FakeNode) -> None:
    hub.offers("model.resolve", resolved(SMALL, GOOD, LARGE))
    hub.refuses("model.pull", 409, "models.ambiguous", "Several.", choices=[SMALL, GOOD])
    shown = thorp("pull", "org/repo")

    assert shown.code == 8
    assert shown.err.splitlines() == [
        "Several.",
        f"  {SMALL['ref']}  338 MB  fits",
        f"  {GOOD['ref']}  676 MB  tight",
    ]
    assert hub.called("model.pull") == [{"ref": "org/repo"}]


def test_with_yes_the_recommended_one_is_taken(thorp: Thorp, hub: FakeNode) -> None:
    hub.offers("model.resolve", resolved(repos=(HIT, OTHER_HIT)), resolved(SMALL, GOOD, LARGE))
    shown = thorp("pull", "qwen", "--yes")

    assert shown.code == 0
    assert f"Taking {HIT['repo']} for `qwen`." in shown.err
    assert hub.called("model.pull") == [{"ref": GOOD["ref"], "yes": True}]


def test_a_person_picks_a_repository_and_then_a_size(home: Path, hub: FakeNode) -> None:
    hub.offers("model.resolve", resolved(repos=(OTHER_HIT, HIT)), resolved(SMALL, GOOD, LARGE))
    seen = on_a_terminal(home, "pull", "qwen", typed="2\n3\n")

    assert "Which repository for `qwen`?" in seen
    assert "gated" in seen
    assert "20 GB are free." in seen
    assert "It is larger than this machine's memory" in seen
    assert hub.called("model.resolve") == [{"ref": "qwen"}, {"ref": HIT["repo"]}]
    assert hub.called("model.pull") == [{"ref": LARGE["ref"]}]


def test_a_person_who_leaves_pulls_nothing(home: Path, hub: FakeNode) -> None:
    hub.offers("model.resolve", resolved(SMALL, GOOD))
    on_a_terminal(home, "pull", "qwen", typed="q\n")

    assert hub.called("model.pull") == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "models.wrong_bytes", "message": "Wrong bytes.", "details": {"exit_code": 6}}, 6),
        ({"code": "models.no_room", "message": "No room.", "details": {"exit_code": 7}}, 7),
        ({"code": "surprise", "message": "Surprise.", "details": {}}, 1),
    ],
)
def test_B_success_is_never_printed_over_a_failed_transfer(thorp: Thorp, hub: FakeNode, error: Row, code: int) -> None:
    follows(hub, transfer(), transfer("failed", error=error))
    shown = thorp("pull", "qwen")

    assert (shown.code, shown.out) == (code, "")
    assert error["message"] in shown.err
    told = thorp("pull", "qwen", "--json")
    assert told.code == code
    assert told.error == error


@pytest.mark.parametrize(
    ("state", "code", "says"),
    [("paused", 75, f"`thorp transfers resume {ID}`"), ("cancelled", 8, "was cancelled; it is not here")],
)
def test_what_somebody_else_did_to_it_is_no_success(
    thorp: Thorp, hub: FakeNode, state: str, code: int, says: str
) -> None:
    follows(hub, transfer(), transfer(state))
    shown = thorp("pull", "qwen")

    assert (shown.code, shown.out) == (code, "")
    assert says in shown.err


@pytest.fixture
def alone(thorp: Thorp) -> Thorp:
    """No node, and a hub that has it."""
    work = thorp.here.work
    work.answers = {"model.resolve": [resolved(GOOD)], "model.pull": [PULLED]}
    work.rows = [transfer(), DONE]
    return thorp


def test_without_a_node_the_pull_happens_here_and_starts_none_without_a_terminal(alone: Thorp) -> None:
    shown = alone("pull", "qwen")

    assert shown.out.startswith(WHOLE)
    assert alone.here.started == []
    assert not alone.here.work.open


class Person(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Person:
    """What a person there is told beside the data."""
    stderr = Person()
    monkeypatch.setattr(sys, "stdin", Person())
    monkeypatch.setattr(sys, "stderr", stderr)
    return stderr


def test_from_a_terminal_the_node_is_started_afterwards(alone: Thorp, monkeypatch: pytest.MonkeyPatch) -> None:
    said = at_a_terminal(monkeypatch)

    assert alone("pull", "qwen").code == 0
    assert alone.here.started == [str(alone.home)]
    assert "The node runs in the background now, at http://127.0.0.1:8737." in said.getvalue()


@pytest.mark.parametrize("words", [("--no-start",), ("--json",), ()])
def test_a_node_is_not_started_where_that_is_not_wanted(
    alone: Thorp, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    at_a_terminal(monkeypatch)
    alone.here.auto_start = bool(words)

    assert alone("pull", "qwen", *words).code == 0
    assert alone.here.started == []


def test_a_node_that_does_not_start_is_only_a_note(alone: Thorp, monkeypatch: pytest.MonkeyPatch) -> None:
    said = at_a_terminal(monkeypatch)
    alone.here.start_error = InternalError("The port is taken.")

    assert alone("pull", "qwen").code == 0
    assert "The node could not be started: The port is taken." in said.getvalue()


def test_ctrl_c_without_a_node_says_how_to_go_on(alone: Thorp) -> None:
    alone.here.work.rows = [transfer(), KeyboardInterrupt()]
    shown = alone("pull", "qwen")

    assert (shown.code, shown.out) == (130, "")
    assert f"Stopped; `thorp pull {REF}` goes on where it was." in shown.err
    assert not alone.here.work.open


def test_ctrl_c_with_a_node_says_that_it_goes_on(alone: Thorp) -> None:
    alone.here.work.here = False
    alone.here.work.rows = [KeyboardInterrupt()]
    shown = alone("pull", "qwen")

    assert shown.code == 130
    assert f"The node goes on with it; `thorp transfers cancel {ID}` ends it" in shown.err
    assert alone("pull", "qwen", "--json").err == ""


def test_a_bad_rate_is_refused_before_anything_happens(thorp: Thorp, node: FakeNode) -> None:
    assert thorp("pull", "qwen", "--limit", "fast").code == 2
    assert thorp("pull", "qwen", "--from", "elsewhere").code == 2
    assert node.asked == []


def test_the_answers_here_are_those_that_nodes_give() -> None:
    PullAnswer.model_validate_json(json.dumps(PULLED))
    for answer in (resolved(SMALL, GOOD), resolved(repos=(HIT, OTHER_HIT))):
        ResolveAnswer.model_validate_json(json.dumps(answer))
