"""A client that does as it is told: every byte of a request is the test's, and every byte of an answer is kept."""

import http.client
import io
import json
import socket
import ssl
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

PATIENCE = 30.0  # seconds until a hanging node fails the test; nothing is measured by it
Header = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[Header, ...]
    body: bytes

    def get(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} occurs {len(values)} times"
        return values[0] if values else None

    @property
    def streams(self) -> bool:
        return (self.get("content-type") or "").startswith("text/event-stream")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal; empty when this is none of ours, or a page."""
        try:
            return self.json["error"]["code"]
        except (ValueError, TypeError, KeyError):
            return ""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def all(self) -> str:
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers), "", self.text])


@dataclass(frozen=True)
class Place:
    """Where to connect: TCP with or without TLS, or a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None
    tls: bool = False

    @property
    def authority(self) -> str:
        return "localhost" if self.path else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.authority}"

    def dial(self) -> "Line":
        if self.path:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(PATIENCE)
            made.connect(str(self.path))
            return Line(made, self)
        made = socket.create_connection((self.host, self.port), PATIENCE)
        return Line(trusting().wrap_socket(made) if self.tls else made, self)


def trusting() -> ssl.SSLContext:
    """TLS that believes any certificate: the attacker's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def written(
    method: str, target: str, headers: Iterable[Header] = (), body: bytes | None = None, host: str = ""
) -> bytes:
    """A request as it goes over the wire. The Host stands first unless the headers bring their own."""
    lines = list(headers)
    names = {name.lower() for name, _ in lines}
    if "host" not in names:
        lines.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(("Content-Length", str(len(body))))
    head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines), "", ""]
    return "\r\n".join(head).encode("latin-1") + (body or b"")


class Kept(io.BufferedReader):
    """What is read of a connection. `http.client` closes it after each answer; the next answer is still in it."""

    def close(self) -> None:
        """Not yet."""

    def makefile(self, _mode: str) -> "Kept":
        """`http.client` asks its socket for this."""
        return self


class Line:
    """One connection."""

    def __init__(self, made: socket.socket, place: Place) -> None:
        self.socket = made
        self.place = place
        self._come = Kept(socket.SocketIO(made, "r"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        """Send; a node that hangs up in the middle has its reasons, and they can still be read."""
        with suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)

    def hear(self, method: str = "GET") -> Answer:
        """One answer. Of a stream of events only the head is read."""
        response = http.client.HTTPResponse(cast("socket.socket", self._come), method=method)
        response.begin()
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        streams = (response.getheader("content-type") or "").startswith("text/event-stream")
        body = b"" if streams else response.read()
        return Answer(response.status, headers, body)

    def ask(self, method: str, target: str, headers: Iterable[Header] = (), body: bytes | None = None) -> Answer:
        self.say(written(method, target, headers, body, self.place.authority))
        return self.hear(method)

    def take(self) -> bytes:
        """What has come; waits for something unless the node closes before."""
        return self._come.read1(65536)

    def rest(self) -> bytes:
        """Everything until the node closes."""
        read = b""
        with suppress(ConnectionError, ssl.SSLError):
            while piece := self._come.read1(65536):
                read += piece
        return read


class Caller:
    """Asks one thing after the other over one connection, and over a new one where that has ended or streams."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._line: Line | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def ask(self, method: str, target: str, headers: Iterable[Header] = (), body: bytes | None = None) -> Answer:
        self._line = self._line or self._place.dial()
        answer = self._line.ask(method, target, headers, body)
        if answer.get("connection") == "close" or answer.streams:
            self._hang_up()
        return answer

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
        self._line = None


def ask(place: Place, method: str, target: str, headers: Iterable[Header] = (), body: bytes | None = None) -> Answer:
    """One request on a connection of its own."""
    with place.dial() as line:
        return line.ask(method, target, headers, body)


@contextmanager
def many(place: Place, count: int) -> Generator[list[Line]]:
    """So many connections at once, all closed in the end."""
    lines: list[Line] = []
    try:
        for _ in range(count):
            lines.append(place.dial())  # noqa: PERF401  (those that stand are closed when a later one fails)
        yield lines
    finally:
        for line in lines:
            line.close()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


JSON: Header = ("Content-Type", "application/json")


def bearer(key: str) -> Header:
    return ("Authorization", f"Bearer {key}")
