"""The strict base of everything that crosses an edge."""

from typing import Literal

import pytest
from pydantic import Field, ValidationError

from thorp.wire.model import Message, misfits


class Thing(Message):
    number: int


class Box(Message):
    things: tuple[Thing, ...] = ()
    label: str = Field(default="", max_length=3)
    odd: float = 0.5
    closed: bool = False
    kind: Literal["small", "large"] = "small"


@pytest.mark.parametrize("text", ['{"number": "1"}', '{"number": 1, "more": 2}', '{"number": 1.5}', "{}", "[]"])
def test_nothing_is_bent_into_shape(text: str) -> None:
    with pytest.raises(ValidationError):
        Thing.model_validate_json(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"things": [{}]}', ("things.0.number", "is missing")),
        ('{"things": [{"number": "1"}]}', ("things.0.number", "has to be a whole number")),
        ('{"things": 1}', ("things", "has to be a list")),
        ('{"things": [1]}', ("things.0", "has to be an object")),
        ('{"label": 1}', ("label", "has to be text")),
        ('{"label": "long"}', ("label", "has to have at most 3 characters")),
        ('{"odd": "1"}', ("odd", "has to be a number")),
        ('{"closed": 1}', ("closed", "has to be true or false")),
        ('{"kind": "huge"}', ("kind", "has to be 'small' or 'large'")),
        ('{"more": 1}', ("more", "has no place here")),
        ("[]", ("", "has to be an object")),
    ],
)
def test_what_does_not_fit_is_told_as_the_rest_of_a_sentence(text: str, told: tuple[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Box.model_validate_json(text)
    assert misfits(caught.value) == (told,)


def test_a_message_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Thing(number=1).number = 2  # pyright: ignore[reportAttributeAccessIssue]
