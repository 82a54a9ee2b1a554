"""A tiny application behind a real listener, and a client that can misbehave. Every test runs on both event loops."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import uvloop

from thorp.net.facts import LISTENER, PEER, ListenerFacts
from thorp.net.hygiene import HttpLimits
from thorp.net.listen import TcpListener

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SECONDS_UNTIL_A_TEST_HANGS = 30


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def running(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(coroutine, SECONDS_UNTIL_A_TEST_HANGS))

    return running


@dataclass
class TinyApp:
    """Each path is one way for an application to behave."""

    calls: list[str] = field(default_factory=list)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    later: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope, receive, send):
        name = scope["path"].strip("/")
        self.calls.append(name)
        self.begun.set()
        try:
            await getattr(self, f"do_{name}", self.do_echo)(scope, receive, send)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def answer(self, send, value):
        await self.begin(send)
        await send({"type": "http.response.body", "body": orjson.dumps(value)})

    async def begin(self, send):
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def do_echo(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body += message["body"]
            if not message["more_body"]:
                break
        headers = [name.decode() for name, _ in scope["headers"]]
        await self.answer(send, {"path": scope["path"], "body": len(body), "headers": headers})

    async def do_facts(self, scope, receive, send):
        listener, peer = scope["state"][LISTENER], scope["state"][PEER]
        bound = [list(one) for one in listener.bound]
        facts = {"kind": listener.kind, "tls": listener.tls, "bound": bound, "same_user": peer.same_user}
        await self.answer(send, facts | {"scheme": scope["scheme"], "server": scope["server"]})

    async def do_early(self, scope, receive, send):
        """Answers without a look at the body."""
        await self.answer(send, "early")

    async def do_hold(self, scope, receive, send):
        await self.finish.wait()
        await self.answer(send, "held")

    async def do_later(self, scope, receive, send):
        await self.later.wait()
        await self.answer(send, "later")

    async def do_wait(self, scope, receive, send):
        """Waits for the client to leave, as a stream with nothing to say does."""
        await self.begin(send)
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def do_pour(self, scope, receive, send):
        """Writes without end and never looks whether anybody is there."""
        await self.begin(send)
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)

    async def do_half(self, scope, receive, send):
        """Ends in the middle of its answer."""
        await self.begin(send)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def do_duplex(self, scope, receive, send):
        """Begins to answer before it has read everything."""
        await self.do_half(scope, receive, send)
        await self.do_wait(scope, receive, lambda _: asyncio.sleep(0))

    async def do_big(self, scope, receive, send):
        await self.begin(send)
        await send({"type": "http.response.body", "body": b"x" * 50_000})

    async def do_flood(self, scope, receive, send):
        await self.begin(send)
        await send({"type": "http.response.body", "body": b"x" * 1_000_000})

    async def do_bighalf(self, scope, receive, send):
        await self.begin(send)
        await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": True})


@dataclass
class Heard:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name):
        values = [value for key, value in self.headers if key == name]
        assert len(values) == 1, f"{name}: {values}"
        return values[0]

    def __contains__(self, name):
        return any(key == name for key, _ in self.headers)

    @property
    def json(self):
        return orjson.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]


@dataclass
class Client:
    """A connection whose bytes the test chooses."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, data: bytes) -> Heard:
        self.say(data)
        return await self.hear()

    async def get(self, path: str = "/", *headers: str) -> Heard:
        return await self.ask(get(path, *headers))

    async def hear(self) -> Heard:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in head[1:] if line)]
        heard = Heard(int(head[0].split()[1]), headers, b"")
        if "content-length" in heard:
            heard.body = await self.reader.readexactly(int(heard["content-length"]))
        elif "transfer-encoding" in heard:
            heard.body = await self._chunks()
        return heard

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body

    async def rest(self) -> bytes:
        """Everything until the end of the connection."""
        read = b""
        try:
            while piece := await self.reader.read(65536):
                read += piece
        except ConnectionError:
            pass
        return read

    async def is_closed(self) -> bool:
        """Waits for the end of the connection; whatever still comes before it is an error."""
        return await self.rest() == b""

    def reset(self) -> None:
        self.writer.transport.abort()


def get(path: str = "/", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


def post(path: str, *headers: str) -> bytes:
    return get(path, *headers).replace(b"GET", b"POST", 1)


@dataclass
class Place:
    """A listener that runs, its application and its clients."""

    listener: TcpListener
    app: TinyApp
    clients: list[Client] = field(default_factory=list)

    async def dial(self) -> Client:
        return self.keep(*await asyncio.open_connection("127.0.0.1", self.listener.port))

    async def dial_and_never_read(self, kibibytes: int = 4) -> Client:
        """A client that takes nothing, over a connection that holds only so much by itself."""
        for server in self.listener._house._servers:
            for accepting in server.sockets:
                accepting.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kibibytes * 1024)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kibibytes * 1024)
        narrow.connect(("127.0.0.1", self.listener.port))
        client = self.keep(*await asyncio.open_connection(sock=narrow))
        client.writer.transport.pause_reading()
        return client

    async def until_empty(self) -> None:
        await self.listener._house._premises.gate.empty.wait()

    def keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Client:
        self.clients.append(Client(reader, writer))
        return self.clients[-1]


@asynccontextmanager
async def listening(app=None, *, tls=None, kind="local", host="127.0.0.1", beside=(), **limits):
    app = app or TinyApp()
    listener = TcpListener(ListenerFacts(kind), host, 0, app, HttpLimits(**limits), tls=tls, beside=beside)
    await listener.start()
    place = Place(listener, app)
    try:
        yield place
    finally:
        for client in place.clients:
            client.reset()
        listener.stop_accepting()
        await listener.drain(0)
