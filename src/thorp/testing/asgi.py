"""Ask an ASGI application without a socket in between."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote

import orjson

from thorp.identity.principals import NOBODY, Principal

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


@dataclass(frozen=True, slots=True)
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Client:
    """One request. `leave` is the client hanging up."""

    app: Application
    principal: Principal = NOBODY
    at_home: bool = True
    headers: dict[str, str] = field(default_factory=dict[str, str])
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    chunks: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue[bytes])

    async def ask(self, method: str, target: str, body: bytes | object = b"") -> Heard:
        sent: list[Message] = []
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        waiting = [data]

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await self.leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body":
                await self.chunks.put(message.get("body", b""))

        await self.app(self._scope(method, target), receive, send)
        return heard(sent)

    def _scope(self, method: str, target: str) -> dict[str, Any]:
        path, _, query = target.partition("?")
        headers = {"host": "localhost"} | self.headers
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 8737),
            "state": {"thorp.principal": self.principal, "thorp.request_id": "test", "thorp.at_home": self.at_home},
        }


def heard(sent: list[Message]) -> Heard:
    if not sent:
        return Heard(0, {}, b"")
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Heard(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))
