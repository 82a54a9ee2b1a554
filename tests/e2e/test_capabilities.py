"""What a node can do is declared once and reached in every way: call, stream, REST, OpenAPI, command line."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from thorp.net.blocking import Answer
from thorp.testing.hub import FakeHub
from thorp.testing.process import NodeProcess, running_node, until
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import NounRoute
from thorp.wire.capabilities import every_capability
from thorp.wire.capabilities.node import NODE_ECHO

ALL = every_capability()
REPO = "org/Tiny-Mistral-1B-GGUF"
LONG_CALL = orjson.dumps({"input": {"text": "word " * 1_000, "pause_ms": 50}})


@pytest.fixture
def node(home: Path) -> Iterator[NodeProcess]:
    """A node with a hub of its own."""
    with FakeHub() as hub:
        hub.add(REPO, {"Tiny-Mistral-1B-Q4_K_M.gguf": b"GGUF"})
        with running_node(home, HF_ENDPOINT=hub.url) as node:
            yield node


def call(node: NodeProcess, name: str, given: dict[str, Any]) -> Answer:
    return node.owner().request("POST", f"/api/v1/call/{name}", {"input": given})


def running(node: NodeProcess) -> float:
    """How many calls of `node.echo` run, as the node's own figures say."""
    return node.figures()[f'thorp_calls_running{{capability="{NODE_ECHO.id}"}}']


def test_every_example_is_answered_as_it_was_declared(node: NodeProcess) -> None:
    tried = 0
    for capability in ALL:
        for example in capability.examples:
            answer = call(node, capability.id, example.input)
            assert answer.status == 200, (capability.id, answer)
            output = answer.data["output"]
            assert capability.answer.model_validate_json(orjson.dumps(output)).model_dump(mode="json") == output
            assert example.answer is None or output == example.answer
            assert answer.data["meta"]["capability"] == capability.id
            assert answer.data["meta"]["node"] == node.ready.node_id
            tried += 1
    assert tried >= 8


def test_every_example_can_be_streamed_and_ends_with_the_same_answer(node: NodeProcess) -> None:
    for capability in ALL:
        for example in capability.examples:
            *frames, last = node.owner().events("POST", f"/api/v1/call/{capability.name}", {"input": example.input})
            assert last.event == "done", (capability.id, last)
            capability.answer.model_validate_json(orjson.dumps(last.data["output"]))
            assert example.answer is None or last.data["output"] == example.answer
            assert bool(frames) is (capability.frames is not None)
            for frame in frames:
                assert frame.event == "frame"
                assert capability.frames is not None
                capability.frames.model_validate_json(orjson.dumps(frame.data))


def test_every_example_works_at_the_command_line(node: NodeProcess) -> None:
    for capability in ALL:
        for example in capability.examples:
            told = node.thorp("call", capability.id, json.dumps(example.input))
            assert told.returncode == 0, (capability.id, told.stderr)
            output = json.loads(told.stdout)
            capability.answer.model_validate_json(told.stdout)
            assert example.answer is None or output == example.answer


def test_examples_are_missing_only_where_they_would_change_something() -> None:
    silent = {capability.name for capability in ALL if not capability.examples}
    about_something_that_must_be_there = {"library.show", "library.verify", "model.resolve", "transfer.show"}
    between_parts = {"lan.heads", "lan.torrent", "model.blob", "model.heads", "model.torrent"}
    assert silent - about_something_that_must_be_there - between_parts == {
        "config.reload",
        "config.set",
        "config.unset",
        "exposure.close",
        "exposure.open",
        "keys.revoke",
        "lan.invite",
        "lan.join",
        "lan.remove",
        "library.alias",
        "library.import",
        "library.prune",
        "library.remove",
        "library.repair",
        "library.rescan",
        "library.unalias",
        "login.code",
        "model.pull",
        "model.share",
        "model.unshare",
        "node.stop",
        "sessions.end",
        "transfer.cancel",
        "transfer.limit",
        "transfer.limit_all",
        "transfer.pause",
        "transfer.resume",
    }


def test_what_is_declared_is_listed_described_and_reachable(node: NodeProcess) -> None:
    declared = {capability.id: capability for capability in ALL}
    listed = json.loads(node.thorp("capabilities", "--json").stdout)["capabilities"]
    assert {row["id"] for row in listed if row["listed"]} == declared.keys()
    assert {row["id"] for row in node.status()["capabilities"] if row["listed"]} == declared.keys()
    assert {row["id"]: row["schema_hash"] for row in listed} == {one.id: one.schema_hash() for one in declared.values()}

    described = node.owner().request("GET", "/api/v1/openapi.json").data["paths"]
    for capability in ALL:
        operation = described[f"/api/v1/call/{capability.name}"]["post"]
        assert operation["x-capability"] == capability.id
        assert operation["x-schema-hash"] == capability.schema_hash()
    routed = {route.capability.id: route for route in EVERY_ROUTE if isinstance(route, NounRoute)}
    # One is for trying out a connection, the others are what models and mesh ask each other; they have no noun.
    between_parts = {"lan.heads@1.0", "lan.torrent@1.0", "model.blob@1.0", "model.heads@1.0", "model.torrent@1.0"}
    assert declared.keys() - routed.keys() == {"node.echo@1.0", *between_parts}
    for route in routed.values():
        assert route.method.lower() in described[route.path.replace(":path}", "}")]


@pytest.mark.parametrize("route", [one for one in EVERY_ROUTE if isinstance(one, NounRoute)], ids=lambda one: one.path)
def test_a_noun_and_its_capability_have_one_floor(route: NounRoute, shared: NodeProcess) -> None:
    """A key that lacks the scope is refused in both spellings, before anything happens."""
    key = shared.over_tcp(shared.key("inference")["key"])
    path = (
        route.path.replace("{id}", "k0")
        .replace("{key}", "local.port")
        .replace("{ref:path}", "org/repo")
        .replace("{node}", "attic")
    )
    body = None if route.method == "GET" else {}
    noun = key.request(route.method, path, body)
    by_name = key.request("POST", f"/api/v1/call/{route.capability.id}", {})
    assert noun.status == by_name.status == 403
    assert noun.data["error"]["code"] == by_name.data["error"]["code"] == "bus.unauthorized"


def test_echo_at_the_command_line_at_once_and_word_by_word(node: NodeProcess) -> None:
    at_once = node.thorp("call", "node.echo", '{"text": "good morning"}')
    assert json.loads(at_once.stdout) == {"text": "good morning", "words": 2}
    streamed = node.thorp("call", "node.echo@1.0", '{"text": "good morning"}', "--stream")
    assert [json.loads(line) for line in streamed.stdout.splitlines()] == [
        {"word": "good"},
        {"word": "morning"},
        {"text": "good morning", "words": 2},
    ]


@pytest.mark.parametrize("stream", [(), ("--stream",)])
@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (('{"text": 5}',), 2, "`input.text`"),
        (("{}",), 2, "`input.text`"),
        (('{"text": "a", "txet": "b"}',), 2, "`input.txet`"),
        (('{"text": "a", "pause_ms": -1}',), 2, "`input.pause_ms`"),
        (('{"text": "a"}', "--params", '{"model": "x"}'), 2, "`params.model`"),
        (("[]",), 2, "JSON object"),
        (("{",), 2, "not JSON"),
    ],
)
def test_wrong_input_is_refused_and_the_field_is_named(
    shared: NodeProcess, words: tuple[str, ...], exit_code: int, told: str, stream: tuple[str, ...]
) -> None:
    refused = shared.thorp("call", "node.echo", *words, *stream)
    assert (refused.returncode, refused.stdout) == (exit_code, "")
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("node.ecco", "Did you mean `node.echo`?"),
        ("node.echo@2.0", "in version 1.0"),
        ("node.echo@1.1", "in version 1.0"),
    ],
)
def test_an_unknown_capability_is_not_found_and_the_nearest_is_named(shared: NodeProcess, name: str, told: str) -> None:
    refused = shared.thorp("call", name)
    assert refused.returncode == 3
    assert told in refused.stderr


def test_a_deadline_ends_a_call_and_is_told(node: NodeProcess) -> None:
    answer = node.bytes_of("POST", "/api/v1/call/node.echo", LONG_CALL, "Thorp-Deadline-Ms: 100")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"bus.timeout"' in answer
    assert running(node) == 0


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_a_client_that_leaves_in_mid_call_cancels_the_handler(node: NodeProcess, accept: str) -> None:
    with socket.socket(socket.AF_UNIX) as wire:
        node.send(wire, "POST", "/api/v1/call/node.echo", LONG_CALL, f"Accept: {accept}")
        until(lambda: running(node) == 1, "the call runs")
    until(lambda: running(node) == 0, "the call of a client that has gone is over")


def test_more_calls_at_once_than_declared_are_refused_and_the_others_go_on(node: NodeProcess) -> None:
    most = NODE_ECHO.limits.concurrent
    with ExitStack() as closing:
        for _ in range(most):
            wire = closing.enter_context(socket.socket(socket.AF_UNIX))
            node.send(wire, "POST", "/api/v1/call/node.echo", LONG_CALL)
        until(lambda: running(node) == most, "all calls run")
        refused = call(node, "node.echo", {"text": "one more"})
        assert (refused.status, refused.data["error"]["code"]) == (429, "bus.capacity_exceeded")
        assert int(refused.headers["retry-after"]) > 0
        assert running(node) == most
    until(lambda: running(node) == 0, "all of them are over")
    assert call(node, "node.echo", {"text": "one more"}).status == 200


def test_more_input_than_declared_is_refused_unread(shared: NodeProcess) -> None:
    refused = call(shared, "node.echo", {"text": "a" * NODE_ECHO.limits.input_bytes})
    assert (refused.status, refused.data["error"]["code"]) == (413, "web.too_large")
