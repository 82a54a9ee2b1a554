"""A stop in order while work is under way: everybody is told, nobody is left hanging, nobody new is let in."""

import http.client
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from thorp.base.clock import SystemClock
from thorp.testing.process import NodeProcess, running_node

JSON = {"Content-Type": "application/json"}
LONG_CALL = {"input": {"text": "word " * 1_000, "pause_ms": 50}}  # longer than any stop may take
REASON = "the system asked it to end (SIGTERM)"
SHORT_CALL = {"input": {"text": "one two three four", "pause_ms": 100}}
Event = tuple[str, Any]


class Clients:
    """Bare connections to one node. http.client tells a stream that was ended from one that was cut."""

    def __init__(self, node: NodeProcess, closing: ExitStack) -> None:
        self.node = node
        self._closing = closing
        self.owner = {"Authorization": f"Bearer {node.paths.owner_token.read_text().strip()}"}

    def connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=60)
        self._closing.callback(connection.close)
        return connection

    def stream(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """A stream whose head has come."""
        connection = self.connection()
        headers = self.owner | JSON | {"Accept": "text/event-stream"}
        connection.request(method, path, orjson.dumps(body) if body else None, headers)
        response = connection.getresponse()
        self._closing.callback(response.close)
        assert response.status == 200
        return response


@pytest.fixture
def clients(node: NodeProcess) -> Iterator[Clients]:
    with ExitStack() as closing:
        yield Clients(node, closing)


def parsed(text: str) -> Event:
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    return fields["event"], orjson.loads(fields["data"])


def next_event(stream: http.client.HTTPResponse) -> Event:
    lines: list[str] = []
    while line := stream.readline().decode().rstrip("\n"):
        lines.append(line)
    return parsed("\n".join(lines))


def rest_of(stream: http.client.HTTPResponse) -> list[Event]:
    """Every event up to the end. A stream that is cut instead of ended raises IncompleteRead."""
    return [parsed(text) for text in stream.read().decode().split("\n\n") if text]


def asked(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    connection.request(method, path, b"{}" if method == "POST" else None, headers)
    response = connection.getresponse()
    return response.status, orjson.loads(response.read())


def test_a_stop_tells_streams_ends_calls_with_a_reason_and_lets_nobody_in(node: NodeProcess, clients: Clients) -> None:
    clock = SystemClock()
    changes = clients.stream("GET", "/api/v1/stream")
    call = clients.stream("POST", "/api/v1/call/node.echo", LONG_CALL)
    idle = clients.connection()
    assert asked(idle, "GET", "/healthz", {}) == (200, {"ok": True})
    assert next_event(changes)[0] == "snapshot"
    assert next_event(call) == ("frame", {"word": "word"})

    began = clock.monotonic()
    node.process.send_signal(signal.SIGTERM)
    assert next_event(changes) == ("change", {"kind": "node.stopping", "reason": REASON})
    with pytest.raises(ConnectionRefusedError):
        node.connect()
    assert not node.paths.socket.exists()
    assert asked(idle, "GET", "/readyz", {}) == (503, {"ready": False})
    status, refused = asked(idle, "POST", "/api/v1/call/node.info", clients.owner | JSON)
    assert (status, refused["error"]["code"]) == (503, "bus.stopped")
    assert "the node stops" in refused["error"]["message"]

    *frames, (last, error) = rest_of(call)
    assert {name for name, _ in frames} == {"frame"}
    assert (last, error["error"]["code"]) == ("error", "bus.stopped")
    assert "the node stops" in error["error"]["message"]
    assert {name for name, _ in rest_of(changes)} <= {"change"}
    assert idle.sock.recv(1) == b""
    assert node.process.wait(60) == 0
    print(f"the stop took {clock.monotonic() - began:.2f} s")  # seen with -rP; ten are promised


def test_a_call_that_is_nearly_done_is_let_finish(node: NodeProcess, clients: Clients) -> None:
    call = clients.stream("POST", "/api/v1/call/node.echo", SHORT_CALL)
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
        assert "stopping: the owner asked for it" in [line["message"] for line in node.log()]


def test_many_idle_connections_and_streams_do_not_hold_the_node(node: NodeProcess, clients: Clients) -> None:
    idle = [clients.connection() for _ in range(20)]
    for connection in idle:
        connection.connect()
    streams = [clients.stream("GET", "/api/v1/stream") for _ in range(10)]
    assert all(next_event(stream)[0] == "snapshot" for stream in streams)
    assert node.end() == 0
    for stream in streams:
        assert ("change", {"kind": "node.stopping", "reason": REASON}) in rest_of(stream)
    assert [connection.sock.recv(1) for connection in idle] == [b""] * 20
