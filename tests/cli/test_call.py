import io
import json
import sys

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from thorp.cli.call import BadJsonError, json_object

META = {"node": "ed25519:AAAA", "capability": "node.echo@1.0", "ms": 0.2}
ANSWER = {"output": {"text": "grüß dich", "words": 2}, "meta": META}
PATH = "/api/v1/call/node.echo"


def test_the_output_is_printed_and_with_json_the_whole_answer(thorp: Thorp, node: FakeNode) -> None:
    node.says("POST", PATH, ANSWER)

    assert thorp("call", "node.echo", '{"text": "grüß dich"}').json == ANSWER["output"]
    assert thorp("call", "node.echo", '{"text": "grüß dich"}', "--json").json == ANSWER
    assert node.asked[0].body == {"params": {}, "input": {"text": "grüß dich"}}


def test_a_version_params_and_stdin(thorp: Thorp, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.says("POST", f"{PATH}@1.0", ANSWER)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"text": "a"}'))

    assert thorp("call", "node.echo@1.0", "-", "--params", '{"model": "m"}').code == 0
    assert node.asked[0].body == {"params": {"model": "m"}, "input": {"text": "a"}}


def test_without_input_an_empty_one_is_sent(thorp: Thorp, node: FakeNode) -> None:
    node.says("POST", "/api/v1/call/node.info", {"output": {}, "meta": META})

    assert thorp("call", "node.info").code == 0
    assert node.asked[0].body == {"params": {}, "input": {}}


def test_a_name_cannot_leave_its_place_in_the_path(thorp: Thorp, node: FakeNode) -> None:
    thorp("call", "../admin/shutdown?x#y")

    assert node.asked[0].path == "/api/v1/call/..%2Fadmin%2Fshutdown%3Fx%23y"


EVENTS = [("frame", {"word": "good"}), ("frame", {"word": "day"}), ("done", {"output": {"words": 2}, "meta": META})]


def test_frames_are_printed_line_by_line(thorp: Thorp, node: FakeNode) -> None:
    node.streams(PATH, EVENTS)

    assert thorp("call", "node.echo", "--stream").out == '{"word": "good"}\n{"word": "day"}\n{"words": 2}\n'
    lines = thorp("call", "node.echo", "--stream", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [{"event": name, "data": data} for name, data in EVENTS]
    assert node.asked[0].headers["accept"] == "text/event-stream"


def test_a_stream_that_ends_in_an_error_prints_what_came_and_fails(thorp: Thorp, node: FakeNode) -> None:
    told = {"code": "bus.timeout", "fault": "timeout", "message": "It took too long.", "details": {}}
    node.streams(PATH, [EVENTS[0], ("error", {"error": told})])
    found = thorp("call", "node.echo", "--stream")

    assert (found.code, found.out) == (75, '{"word": "good"}\n')
    assert "It took too long." in found.err
    assert thorp("call", "node.echo", "--stream", "--json").code == 75


def test_a_refused_stream_is_an_error_as_any_other(thorp: Thorp, node: FakeNode) -> None:
    told = {"code": "web.not_allowed", "fault": "unauthorized", "message": "Not you.", "details": {}}
    node.says("POST", PATH, {"error": told}, status=403)
    found = thorp("call", "node.echo", "--stream", "--json")

    assert found.code == 4
    assert found.error == told


def test_a_stream_that_just_ends_is_told(thorp: Thorp, node: FakeNode) -> None:
    node.streams(PATH, EVENTS[:1])
    found = thorp("call", "node.echo", "--stream")

    assert found.code == 5
    assert "ended without an answer" in found.err


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"text"', "null", "[" * 100_000, '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": "\udcff"}']
)
def test_what_is_no_object_is_refused_before_anybody_is_asked(text: str) -> None:
    with pytest.raises(BadJsonError, match=r"^The input"):
        json_object(text, "the input")


def test_bad_json_is_a_usage_error(thorp: Thorp, node: FakeNode) -> None:
    assert thorp("call", "node.echo", "{").code == 2
    assert thorp("call", "node.echo", "--params", "5").code == 2
    found = thorp("call", "node.echo", '{"a": 1, "a": 2}')
    assert (found.code, found.out) == (2, "")
    assert found.err == 'The input is not taken. The key "a" occurs twice in one JSON object; leave one of them out.\n'
    assert thorp("call", "node.echo", "{}", "--params", '{"a": 1, "a": 2}', "--json").error["code"] == "cli.bad_json"
    assert node.asked == []
