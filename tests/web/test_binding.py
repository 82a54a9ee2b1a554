"""Path, query and body become the fields of a request."""

import asyncio

import pytest
from pydantic import Field
from starlette.requests import Request

from thorp.web.binding import (
    BadParameterError,
    NotAnObjectError,
    TooLargeError,
    entered,
    json_object,
    read_already,
    read_body,
    text_fields,
)
from thorp.web.sse import ClientGoneError
from thorp.wire.capability import Capability, Nothing
from thorp.wire.model import Message


class Wanted(Message):
    number: int = 0
    source: str = Field(default="hub", alias="from")
    yes: bool = False
    word: str = ""


WANTED = Capability("test.thing", "1.0", "A thing.", Wanted, Nothing)


def test_text_is_read_as_the_declared_type() -> None:
    assert text_fields(WANTED, {"number": "7", "yes": "true", "word": "7"}) == {"number": 7, "yes": True, "word": "7"}


def test_a_parameter_is_called_as_on_the_wire() -> None:
    assert text_fields(WANTED, {"from": "lan"}) == {"from": "lan"}
    assert Wanted.model_validate(text_fields(WANTED, {"from": "lan"})).source == "lan"


@pytest.mark.parametrize("given", [{"number": "seven"}, {"yes": "perhaps"}, {"other": "1"}, {"source": "lan"}])
def test_a_parameter_that_does_not_fit_is_named(given: dict[str, str]) -> None:
    with pytest.raises(BadParameterError, match=next(iter(given))):
        text_fields(WANTED, given)


def test_an_empty_body_is_an_empty_object() -> None:
    assert json_object(b"") == {}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnObjectError):
        json_object(body)


def test_a_body_is_read_as_the_message_that_is_wanted() -> None:
    assert entered(b'{"number": 7}', Wanted) == Wanted(number=7)
    assert entered(b"", Wanted) == Wanted()


@pytest.mark.parametrize("body", [b'{"number": "7"}', b'{"number": null}', b'{"yes": 1}', b'{"other": 1}'])
def test_a_field_that_does_not_fit_is_named(body: bytes) -> None:
    with pytest.raises(BadParameterError) as caught:
        entered(body, Wanted)
    assert caught.value.details["parameter"] in body.decode()
    assert f"`{caught.value.details['parameter']}`" in caught.value.message


def received(pieces: list[bytes], limit: int, *, gone: bool = False) -> tuple[bytes, int]:
    """What was read of a body that comes in pieces, and how many of them were left."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.disconnect"} if gone else {"type": "http.request"})

    async def receive() -> dict[str, object]:
        return waiting.pop(0)

    try:
        return asyncio.run(read_body(receive, limit)), len(waiting)
    except TooLargeError:
        return b"too large", len(waiting)


def test_a_body_is_read_whole_up_to_its_limit() -> None:
    assert received([b"ab", b"", b"cd"], 4) == (b"abcd", 0)


def test_A11_a_body_is_refused_as_soon_as_it_is_too_large() -> None:
    assert received([b"ab", b"cde", b"never read"], 4) == (b"too large", 2)


def test_a_client_that_leaves_in_its_body_is_gone() -> None:
    with pytest.raises(ClientGoneError):
        received([b"ab"], 4, gone=True)


def test_a_body_read_before_can_be_read_again() -> None:
    assert asyncio.run(Request({"type": "http"}, read_already(b"abc")).body()) == b"abc"
