"""Server-sent events: how one looks, and how they are sent to a client that may leave at any moment."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeAlias

import orjson

from thorp.base.tasks import TaskScope

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEARTBEAT: Final = b": still here\n\n"
HEARTBEAT_SECONDS: Final = 15.0


class ClientGoneError(Exception):
    """The client closed the connection; nobody is left to answer."""


def event(name: str, data: object, event_id: str | None = None) -> bytes:
    """One event. The data is one line of JSON, so it can never break out of its field."""
    head = f"event: {name}\n" if event_id is None else f"event: {name}\nid: {event_id}\n"
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncGenerator[None]:
    """Cancel what stands inside as soon as the client is gone, and say so with ClientGoneError."""
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        if task is not None:
            task.cancel()

    try:
        async with TaskScope("request") as scope:
            scope.start("watch", watch())
            yield
    except asyncio.CancelledError:
        if not gone or task is None:
            raise
        task.uncancel()
        raise ClientGoneError from None


async def send_events(
    send: Send,
    receive: Receive,
    events: AsyncGenerator[bytes, None],
    headers: dict[str, str],
    *,
    head_only: bool = False,
) -> None:
    """Send events as they come until they end; close their source in this very task when the client leaves.

    Who asks for the head only gets no event, so none is waited for.
    """
    start = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start += [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
    async with aclosing(events), while_connected(receive):
        await send({"type": "http.response.start", "status": 200, "headers": start})
        if not head_only:
            async for item in events:
                await send({"type": "http.response.body", "body": item, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
