"""One form for everything that is hashed or signed."""

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as some

from thorp.wire.canonical import NotCanonicalError, canonical_bytes

TEXT = some.text(some.characters(exclude_categories=("Cs",)))
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: some.lists(inner, max_size=6) | some.dictionaries(TEXT, inner, max_size=6),
    max_leaves=30,
)


@given(VALUES)
def test_it_equals_rfc_8785(value: object) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]


@given(VALUES)
def test_it_is_json_of_the_same_value(value: object) -> None:
    assert orjson.loads(canonical_bytes(value)) == value


FROZEN = [
    ({}, b"{}"),
    ({"b": 1, "a": [True, None, -7]}, b'{"a":[true,null,-7],"b":1}'),
    ({"ä": "€", "z": "\n\x7f"}, '{"z":"\\n\x7f","ä":"€"}'.encode()),
    ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),
]


@pytest.mark.parametrize(("value", "expected"), FROZEN)
def test_frozen_vectors(value: object, expected: bytes) -> None:
    assert canonical_bytes(value) == expected


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), 2**53, -(2**53), "\ud800", {"\udfff": 1}, {1: 2}, {"a": {"b": 0.5}}, b"x", object(), {1, 2}],
)
def test_what_cannot_be_signed_exactly_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_bytes(value)


def test_endless_nesting_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(NotCanonicalError, match="nested deeper"):
        canonical_bytes(value)
