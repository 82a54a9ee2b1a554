"""A node that says what a test tells it to: a real HTTP server, on the socket of a home or on a loopback port."""

import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from thorp.app.environment import Environment
from thorp.app.lock import HomeLock
from thorp.app.paths import make_folders, paths_of
from thorp.base.clock import SystemClock

STATUS: dict[str, Any] = {
    "node": {
        "id": "ed25519:AAAA",
        "name": "attic",
        "version": "1.2.3",
        "state": "running",
        "started": "2026-11-20T10:00:00.000Z",
        "uptime_s": 3725.4,
        "pid": 4711,
    },
    "claimed": True,
    "busy": {"transfers": 1, "peers": 2},
    "listeners": [
        {"kind": "local", "address": "http://127.0.0.1:8737", "state": "open", "reach": "programs on this machine"},
        {"kind": "exposed", "address": "https://192.0.2.7:8738", "state": "closed", "reach": "other devices"},
    ],
    "services": [
        {"name": "local listener", "state": "running", "since": "2026-11-20T10:00:00.000Z", "message": ""},
        {"name": "announcer", "state": "failed", "since": "2026-11-20T10:00:00.000Z", "message": "no network"},
    ],
    "capabilities": [
        {"id": "node.info@1.0", "summary": "Says who this node is.", "listed": True, "reason": ""},
        {"id": "llm.chat@1.0", "summary": "Chats.", "listed": False, "reason": "no slot is ready"},
    ],
    "memory": {"resident_bytes": 62_000_000},
    "disk": {"free_bytes": 1_500_000_000, "total_bytes": None},
    "config": {"needs_restart": []},
    "stopped_cleanly": True,
}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: object


@dataclass
class FakeNode:
    """Answers by method and path; what it was asked is kept."""

    answers: dict[tuple[str, str], tuple[int, object]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    queues: dict[str, list[object]] = field(default_factory=dict)
    url: str = ""

    def says(self, method: str, path: str, body: object, status: int = 200) -> None:
        self.answers[method, path] = (status, body)

    def streams(self, path: str, events: Sequence[tuple[str, object]], method: str = "POST") -> None:
        text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
        self.answers[method, path] = (200, text.encode())

    def offers(self, name: str, *outputs: object) -> None:
        """A capability that answers so; each answer once, and the last from then on."""
        self.queues[f"/api/v1/call/{name}"] = [{"output": one, "meta": {}} for one in outputs]

    def refuses(self, name: str, status: int, code: str, message: str, **details: object) -> None:
        """A capability that answers with this error."""
        self.queues.pop(f"/api/v1/call/{name}", None)
        error = {"code": code, "fault": "", "message": message, "details": details}
        self.says("POST", f"/api/v1/call/{name}", {"error": error}, status)

    def called(self, name: str) -> list[Any]:
        """The inputs that a capability was called with."""
        return [
            one.body["input"] for one in self.asked if one.path.endswith(f"/call/{name}") and isinstance(one.body, dict)
        ]

    def answer(self, method: str, path: str) -> tuple[int, object]:
        if queue := self.queues.get(path):
            return 200, queue.pop(0) if len(queue) > 1 else queue[0]
        missing = {"error": {"code": "web.no_route", "message": f"There is no {method} {path}.", "details": {}}}
        return self.answers.get((method, path), (404, missing))


def handler_of(node: FakeNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            node.asked.append(Asked(self.command, self.path, headers, json.loads(raw) if raw else None))
            status, body = node.answer(self.command, self.path)
            kind = "text/event-stream" if isinstance(body, bytes) else "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "a test"

    return Handler


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class LoopbackServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def node_of(home: Path) -> Iterator[FakeNode]:
    """A node that holds this home."""
    paths = paths_of(Environment(home=home))
    make_folders(paths)
    node = FakeNode()
    with HomeLock(paths.lock, home, SystemClock()) as lock, serving(UnixServer(str(paths.socket), handler_of(node))):
        lock.announce(run=paths.run, address="http://127.0.0.1:8737")
        yield node


@contextmanager
def node_elsewhere() -> Iterator[FakeNode]:
    """A node that is reached by an address."""
    node = FakeNode()
    server = LoopbackServer(("127.0.0.1", 0), handler_of(node))
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield node
