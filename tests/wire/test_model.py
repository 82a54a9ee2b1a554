"""The strict base of everything that crosses an edge."""

import pytest
from pydantic import ValidationError

from thorp.wire.model import Message


class Thing(Message):
    number: int


@pytest.mark.parametrize("text", ['{"number": "1"}', '{"number": 1, "more": 2}', '{"number": 1.5}', "{}", "[]"])
def test_nothing_is_bent_into_shape(text: str) -> None:
    with pytest.raises(ValidationError):
        Thing.model_validate_json(text)


def test_a_message_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Thing(number=1).number = 2  # pyright: ignore[reportAttributeAccessIssue]
