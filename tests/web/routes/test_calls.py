"""Any capability by its name, at once or as a stream."""

import asyncio
from typing import Any

import orjson
import pytest

from thorp.base.errors import ConflictError
from thorp.identity.principals import NOBODY, keyed, owner
from thorp.identity.scopes import Scope
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.wire.capability import Call, Capability, Nothing, Offer

SSE = {"accept": "text/event-stream"}


def told(story: Any) -> Any:
    return asyncio.run(story)


async def called(name: str, body: object = b"", principal: Any = None, **headers: str) -> Heard:
    world = await WebWorld().opened()
    return await world.client(principal or owner(), **headers).ask("POST", f"/api/v1/call/{name}", body)


def events_of(heard: Heard) -> list[tuple[str, Any]]:
    seen = []
    for chunk in heard.body.split(b"\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in chunk.decode().split("\n"))
        seen.append((fields["event"], orjson.loads(fields["data"])))
    return seen


def test_a_call_answers_with_output_and_meta() -> None:
    heard = told(called("node.info"))
    assert heard.json["output"]["name"] == "kitchen"
    assert heard.json["meta"] == {"node": "ed25519:x", "capability": "node.info@1.0", "ms": 0.0}


@pytest.mark.parametrize("name", ["node.echo", "node.echo@1.0"])
def test_a_streamed_call_ends_with_exactly_one_done(name: str) -> None:
    seen = events_of(told(called(name, {"input": {"text": "a b"}}, **SSE)))
    assert [event for event, _ in seen] == ["frame", "frame", "done"]
    assert seen[-1][1]["output"] == {"text": "a b", "words": 2}


def test_a_stream_that_fails_does_not_tell_in_which_folder() -> None:
    async def fails(_call: Call[Nothing]) -> Nothing:
        raise ConflictError("`/srv/ann/thorp.db` is locked.", path="/srv/ann/thorp.db")

    async def story() -> Heard:
        world = WebWorld()
        await world.bus.register(Offer(Capability("test.thing", "1.0", "A thing.", Nothing, Nothing), unary=fails))
        return await world.client(owner(), **SSE).ask("POST", "/api/v1/call/test.thing")

    ((event, told_of),) = events_of(told(story()))
    assert (event, told_of["error"]["message"]) == ("error", "`thorp.db` is locked.")
    assert told_of["error"]["details"] == {"path": "thorp.db"}


def test_a_streamed_call_that_fails_ends_with_exactly_one_error() -> None:
    heard = told(called("node.echo", {"input": {"text": "a b", "pause_ms": 9000}}, thorp_deadline_ms="10", **SSE))
    seen = events_of(heard)
    assert [event for event, _ in seen] == ["error"]
    assert seen[0][1]["error"]["fault"] == "timeout"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": {"nonsense": 1}}, "bus.schema_mismatch"),
        ({"input": []}, "web.bad_parameter"),
        ({"params": None}, "web.bad_parameter"),
        ({"inputs": {}}, "web.bad_parameter"),
        ([], "web.not_an_object"),
        (b"{", "wire.bad_json"),
    ],
)
def test_a_wrong_body_is_refused_by_its_reason(body: object, code: str) -> None:
    heard = told(called("node.echo", body))
    assert heard.status == 400
    if code != "wire.bad_json":
        assert heard.json["error"]["code"] == code


def test_more_than_the_declared_size_is_refused() -> None:
    heard = told(called("node.echo", {"input": {"text": "x" * 200_000}}))
    assert (heard.status, heard.json["error"]["code"]) == (413, "web.too_large")


@pytest.mark.parametrize("given", ["0", "-5", "soon", "1e3", "9" * 30, "1.5"])
def test_a_wrong_deadline_is_refused(given: str) -> None:
    assert told(called("node.info", thorp_deadline_ms=given)).status == 400


@pytest.mark.parametrize(
    ("principal", "name", "status"),
    [
        (owner(), "node.stop", 200),
        (keyed("k1", frozenset(Scope)), "node.stop", 403),
        (keyed("k1", frozenset()), "node.echo", 403),
        (keyed("k1", frozenset({Scope.NODE_READ})), "node.echo", 200),
        (NOBODY, "node.echo", 401),
        (NOBODY, "node.stop", 401),
    ],
)
def test_the_same_call_gives_each_caller_the_declared_answer(principal: Any, name: str, status: int) -> None:
    body = {"input": {"text": "x"}} if name == "node.echo" else {}
    assert told(called(name, body, principal)).status == status


def test_an_unlisted_capability_is_not_there() -> None:
    assert told(called("node.nothing")).status == 404


def test_a_client_that_leaves_ends_the_handler() -> None:
    async def story() -> int:
        world = await WebWorld().opened()
        client = world.client(owner(), **SSE)
        asking = asyncio.create_task(
            client.ask("POST", "/api/v1/call/node.echo", {"input": {"text": "a b", "pause_ms": 9000}})
        )
        while not any(entry.running for entry in world.bus.entries):
            await asyncio.sleep(0)
        client.leave.set()
        await asking
        return sum(entry.running for entry in world.bus.entries)

    assert told(story()) == 0
