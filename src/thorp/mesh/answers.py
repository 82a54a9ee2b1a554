"""How the mesh listener reads requests and answers them, on bare ASGI. A body is never read beyond its bound."""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from thorp.base.errors import DeadlineError, UsageError
from thorp.net.answers import NO_STORE
from thorp.wire.model import Message

Headers = list[tuple[bytes, bytes]]

LARGEST_BODY: Final = 16 * 1024  # before anybody is known
BODY_SECONDS: Final = 15.0
_BEARER: Final = re.compile(rb"[Bb]earer ([A-Za-z0-9_-]{43})")
_RANGE: Final = re.compile(rb"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")


class BodyTooLargeError(UsageError):
    """A request with more in it than any of its kind has."""

    code = "mesh.body_too_large"
    status = 413


class HungUpError(UsageError):
    """The other side left in the middle of its request."""

    code = "mesh.hung_up"


class SlowBodyError(DeadlineError):
    """A request that did not come to its end in time."""

    code = "mesh.slow_body"


class RangeRefusedError(UsageError):
    """A range that the file does not have."""

    code = "mesh.bad_range"
    status = 416


async def read_body(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _all_of(receive)
    except TimeoutError:
        raise SlowBodyError(f"The request did not arrive within {BODY_SECONDS:g} s.") from None


async def _all_of(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise HungUpError("The other side hung up.")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise BodyTooLargeError(f"A request here has at most {LARGEST_BODY} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


def bearer_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The one token of a request; empty when there is none, or more than one."""
    given = [value for name, value in headers if name == b"authorization"]
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    return found[1].decode("ascii") if found else ""


def header_of(scope: Scope, wanted: bytes) -> bytes | None:
    found = [value for name, value in scope["headers"] if name == wanted]
    return found[0] if len(found) == 1 else None


def range_of(header: bytes | None, size: int) -> tuple[int, int] | None:
    """First byte and end of the one range that is asked for; None: the whole file."""
    if header is None:
        return None
    found = _RANGE.fullmatch(header)
    if found is None:
        raise RangeRefusedError("Only one range of bytes is given at a time.", size=size)
    if found[3] is not None:
        first, end = max(0, size - int(found[3])), size
    else:
        first, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    if first >= end:
        raise RangeRefusedError(f"The file has {size} bytes, and none in that range.", size=size)
    return first, end


async def send_message(send: Send, message: Message) -> None:
    await send_bytes(send, message.model_dump_json().encode(), b"application/json")


async def send_value(send: Send, value: object, headers: Headers) -> None:
    await send_bytes(send, orjson.dumps(value), b"application/json", headers)


async def send_bytes(send: Send, body: bytes, kind: bytes, headers: Headers | None = None) -> None:
    start: Headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        NO_STORE,
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_unchanged(send: Send, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": 304, "headers": [NO_STORE, *headers]})
    await send({"type": "http.response.body", "body": b""})
