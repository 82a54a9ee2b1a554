"""From a line of the table to an answer."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from thorp.base.errors import ConflictError
from thorp.identity.principals import NOBODY, keyed, owner
from thorp.testing.asgi import Client, Heard
from thorp.testing.web import WebWorld
from thorp.web.answers import Answer, EventStream
from thorp.web.doors import Doors
from thorp.web.endpoint import Endpoint
from thorp.web.table import OPEN, OWNER, RawRoute


def asked(handler, *, method="GET", floor=OPEN, html=False, principal=NOBODY) -> Heard:
    route = RawRoute("GET", "/x", floor, "A test.", handler, html)
    return asyncio.run(Client(Endpoint(route, WebWorld().doors()), principal).ask(method, "/x"))


async def fine(_doors: Doors, _request: Request) -> Answer:
    return Response(b"fine")


async def refuses(_doors: Doors, _request: Request) -> Answer:
    raise ConflictError("It stands there already.")


async def breaks(_doors: Doors, _request: Request) -> Answer:
    raise ZeroDivisionError("secret")


def test_a_handler_answers() -> None:
    assert asked(fine).body == b"fine"


def test_a_floor_stands_before_the_handler() -> None:
    assert asked(breaks, floor=OWNER).status == 401
    assert asked(breaks, floor=OWNER, principal=keyed("k", frozenset())).status == 403
    assert asked(fine, floor=OWNER, principal=owner()).status == 200


def test_an_error_is_told_in_the_form_of_its_face() -> None:
    assert asked(refuses).json["error"]["code"] == "conflict"
    assert b"<main>" in asked(refuses, html=True).body


def test_who_asks_for_the_head_of_a_stream_gets_no_event_and_an_end() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        raise AssertionError("nobody listens")
        yield b""

    async def streams(_doors: Doors, _request: Request) -> Answer:
        return EventStream(endless())

    heard = asked(streams, method="HEAD")
    assert (heard.status, heard.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert heard.body == b""


def test_a_fault_is_logged_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        heard = asked(breaks)
    assert heard.status == 500
    assert b"secret" not in heard.body
    assert "ZeroDivisionError" in caplog.text
