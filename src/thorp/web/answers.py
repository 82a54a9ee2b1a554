"""What a handler answers with, and how an error looks on each face."""

import html
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson
from starlette.responses import Response

from thorp.base.errors import ThorpError, UnauthenticatedError
from thorp.wire.envelope import error_body, error_headers, told

JSON: Final = "application/json"
EXACT: Final = re.compile(r"`([^`]+)`")
SAME_ORIGIN: Final = {"Referrer-Policy": "same-origin"}  # under `no-referrer` browsers send forms with `Origin: null`


@dataclass(frozen=True, slots=True)
class EventStream:
    """Server-sent events, already encoded, sent until they end or the client is gone."""

    events: AsyncGenerator[bytes, None]
    headers: dict[str, str] = field(default_factory=dict[str, str])


Answer: TypeAlias = Response | EventStream


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, JSON)


def error_answer(error: ThorpError) -> Response:
    return Response(orjson.dumps(error_body(error), default=str), error.status, error_headers(error), JSON)


def said(text: str) -> str:
    """A sentence as markup: nothing in it is markup yet, and what stands in backticks is shown as exact."""
    return EXACT.sub(r"<code>\1</code>", html.escape(text))


def page(title: str, body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A plain page: no script, one style sheet. `body` is trusted markup; callers escape what they put in."""
    document = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" type="image/svg+xml" href="/favicon.svg"><link rel="stylesheet" href="/plain/look.css">'
        f"<title>{html.escape(title)} - Thorp</title>"
        f"<main><h1>{html.escape(title)}</h1>{body}</main></html>"
    )
    return Response(document, status, SAME_ORIGIN | (headers or {}), "text/html; charset=utf-8")


def error_page(error: ThorpError) -> Response:
    """For a person with a browser: whom it does not know it asks to sign in, and speaks of no keys or headers."""
    unknown = error.status == UnauthenticatedError.status
    title, why = ("Sign in first", "To see this page, you have to sign in.") if unknown else ("Not here", told(error))
    body = f'<p role="alert">{said(why)}</p><p><a href="/plain/claim">Sign in</a></p>'
    return page(title, body, error.status, error_headers(error))
