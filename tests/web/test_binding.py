"""Path, query and body become the fields of a request."""

import pytest

from thorp.web.binding import BadParameterError, NotAnObjectError, TooLargeError, check_size, json_object, text_fields
from thorp.wire.capability import Capability, Limits, Nothing
from thorp.wire.model import Message


class Wanted(Message):
    number: int = 0
    yes: bool = False
    word: str = ""


WANTED = Capability("test.thing", "1.0", "A thing.", Wanted, Nothing, limits=Limits(input_bytes=10))


def test_text_is_read_as_the_declared_type() -> None:
    assert text_fields(WANTED, {"number": "7", "yes": "true", "word": "7"}) == {"number": 7, "yes": True, "word": "7"}


@pytest.mark.parametrize("given", [{"number": "seven"}, {"yes": "perhaps"}, {"other": "1"}])
def test_a_parameter_that_does_not_fit_is_named(given: dict[str, str]) -> None:
    with pytest.raises(BadParameterError, match=next(iter(given))):
        text_fields(WANTED, given)


def test_an_empty_body_is_an_empty_object() -> None:
    assert json_object(b"") == {}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnObjectError):
        json_object(body)


def test_more_than_the_declared_size_is_refused() -> None:
    check_size(b"x" * 10, WANTED)
    with pytest.raises(TooLargeError):
        check_size(b"x" * 11, WANTED)
