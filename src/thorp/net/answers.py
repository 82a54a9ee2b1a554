"""How `net` answers by itself: the error envelope, and the headers that stand on every answer of every listener."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import orjson
from starlette.types import Send

from thorp.base.errors import ThorpError
from thorp.wire.envelope import error_body, raw_error_headers

Headers: TypeAlias = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (
        b"content-security-policy",
        b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
NO_STORE: Final = (b"cache-control", b"no-store")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as an HTTP answer."""

    status: int
    headers: Headers
    body: bytes


def refusal(error: ThorpError) -> Refusal:
    body = orjson.dumps(error_body(error), default=str)
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        NO_STORE,
        *SECURITY_HEADERS,
        *raw_error_headers(error),
    ]
    return Refusal(error.status, headers, body)


def last_words(error: ThorpError) -> bytes:
    """The refusal as the last bytes a connection carries."""
    answer = refusal(error)
    lines = [
        b"HTTP/1.1 %d %s" % (answer.status, HTTPStatus(answer.status).phrase.encode()),
        *(name + b": " + value for name, value in answer.headers),
        b"connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + answer.body


async def send_refusal(send: Send, error: ThorpError) -> None:
    """The refusal as an answer of an ASGI application."""
    answer = refusal(error)
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
