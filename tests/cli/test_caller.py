import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import DONE, ID, transfer
from thorp.app.environment import Environment
from thorp.app.paths import paths_of
from thorp.cli.answered import AnsweredError
from thorp.cli.caller import STREAM, TRIES, NodeCaller, NodeLostError
from thorp.cli.link import open_link
from thorp.wire.capabilities.transfers import TransferRow, TransfersAnswer

OTHER = transfer(id="01JD0000000000000000000001")


@pytest.fixture
def caller(home: Path, node: FakeNode) -> NodeCaller:
    return NodeCaller(open_link("", "", paths_of(Environment(home=home))), rest=lambda _seconds: None)


def changed(row: dict[str, Any]) -> tuple[str, object]:
    return "change", {"kind": "transfer.changed"} | row


def test_a_call_hands_over_its_input_and_answers_with_the_output(caller: NodeCaller, node: FakeNode) -> None:
    node.offers("model.resolve", {"ref": "a"})

    assert caller.call("model.resolve", **{"ref": "a", "from": "hub"}) == {"ref": "a"}
    assert node.asked[0].path == "/api/v1/call/model.resolve"
    assert node.asked[0].body == {"input": {"ref": "a", "from": "hub"}}
    assert not caller.here


def test_a_refusal_keeps_its_code_and_its_exit_code(caller: NodeCaller, node: FakeNode) -> None:
    node.refuses("model.pull", 409, "models.ambiguous", "Several.", choices=[])
    with pytest.raises(AnsweredError, match="Several") as caught:
        caller.call("model.pull", ref="a")
    assert caught.value.http_status == 409


def test_a_stream_is_frames_and_then_the_answer(caller: NodeCaller, node: FakeNode) -> None:
    frame = {"file": "a.gguf", "done": 1, "total": 2}
    node.streams("/api/v1/call/library.verify", [("frame", frame), ("done", {"output": {"ok": True}, "meta": {}})])

    assert list(caller.stream("library.verify")) == [("frame", frame), ("done", {"ok": True})]


def test_an_error_in_a_stream_is_raised(caller: NodeCaller, node: FakeNode) -> None:
    error = {"error": {"code": "models.unknown", "fault": "not_found", "message": "No such model.", "details": {}}}
    node.streams("/api/v1/call/library.verify", [("error", error)])
    with pytest.raises(AnsweredError, match="No such model"):
        list(caller.stream("library.verify"))


def test_a_stream_that_ends_without_an_answer_is_told(caller: NodeCaller, node: FakeNode) -> None:
    node.streams("/api/v1/call/library.verify", [])
    with pytest.raises(NodeLostError, match="`thorp transfers`"):
        list(caller.stream("library.verify"))


def test_one_transfer_is_followed_until_it_is_done(caller: NodeCaller, node: FakeNode) -> None:
    later = transfer(done=2)
    snapshot = ("snapshot", {"transfers": [OTHER, transfer(done=1)], "limit": 0})
    told = [snapshot, changed(OTHER), changed(later), changed(DONE), changed(later)]
    node.streams(STREAM, told, "GET")

    assert list(caller.follow(ID)) == [transfer(done=1), later, DONE]


def test_a_transfer_that_the_snapshot_has_forgotten_is_asked_for(caller: NodeCaller, node: FakeNode) -> None:
    node.streams(STREAM, [("snapshot", {"transfers": [], "limit": 0})], "GET")
    node.offers("transfer.show", DONE)

    assert list(caller.follow(ID)) == [DONE]


def test_a_stream_that_breaks_off_is_looked_for_again(caller: NodeCaller, node: FakeNode) -> None:
    started = ("snapshot", {"transfers": [transfer(done=1)], "limit": 0})
    ended = ("snapshot", {"transfers": [DONE], "limit": 0})

    def answers() -> Any:
        for events in ([started, ("dropped", {"reason": "slow"})], [ended]):
            node.streams(STREAM, events, "GET")
            yield

    steps = answers()
    next(steps)
    rows = caller.follow(ID)
    assert next(rows)["done"] == 1
    next(steps)
    assert list(rows) == [DONE]


def test_a_node_that_stays_away_is_told(caller: NodeCaller, node: FakeNode) -> None:
    node.streams(STREAM, [], "GET")
    with pytest.raises(NodeLostError) as caught:
        list(caller.follow(ID))

    assert caught.value.exit_code == 5
    assert len(node.asked) == TRIES


def test_a_refused_stream_is_raised_at_once(caller: NodeCaller, node: FakeNode) -> None:
    node.says("GET", STREAM, {"error": {"code": "x", "fault": "unauthorized", "message": "Not you."}}, 403)
    with pytest.raises(AnsweredError, match="Not you"):
        list(caller.follow(ID))
    assert len(node.asked) == 1


def test_the_rows_here_are_those_that_nodes_tell() -> None:
    TransferRow.model_validate_json(json.dumps(DONE))
    TransfersAnswer.model_validate_json(json.dumps({"transfers": [transfer()], "limit": 0}))
