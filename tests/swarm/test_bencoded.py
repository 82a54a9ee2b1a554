from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.bencoded import DEEPEST, BadBencodingError, read
from thorp.swarm.recipes import bencode

NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    NUMBERS | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=6), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: depth(value) <= DEEPEST)
ALMOST = st.lists(
    st.sampled_from([b"i", b"l", b"d", b"e", b"-", b"0", b"1", b"7", b"1:", b"2:", b"a", b"bc", b"i0e", b"1:a"])
).map(b"".join)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (1 + max(map(depth, inner), default=0)) if isinstance(value, (dict, list)) else 0


@given(VALUES)
def test_what_was_written_is_read(value: Any) -> None:
    assert read(bencode(value)) == value


@given(st.binary(max_size=60) | ALMOST)
def test_D52_whatever_is_accepted_has_no_second_form(content: bytes) -> None:
    try:
        value = read(content)
    except BadBencodingError:
        return
    assert bencode(value) == content


@pytest.mark.parametrize(
    "content",
    [
        b"i007e",
        b"i-0e",
        b"i-01e",
        b"i+1e",
        b"ie",
        b"i-e",
        b"i1",
        b"i 1e",
        b"i1_0e",
        b"i\xd9\xa1e",
        b"01:a",
        b"-1:a",
        b":a",
        b"1a",
        b"d1:bi1e1:ai1ee",
        b"d1:ai1e1:ai2ee",
        b"di1ei1ee",
        b"d1:ae",
        b"d1:a",
    ],
)
def test_D52_another_form_than_the_canonical_one_is_refused(content: bytes) -> None:
    with pytest.raises(BadBencodingError):
        read(content)


@pytest.mark.parametrize("content", [b"", b"e", b"x", b"l", b"d", b"li1e", b"5:abc", b"9999999999:abc"])
def test_D52_what_ends_early_is_refused(content: bytes) -> None:
    with pytest.raises(BadBencodingError):
        read(content)


@pytest.mark.parametrize("content", [b"i1ei2e", b"dee", b"le\n", b"1:ab"])
def test_D52_bytes_behind_the_end_are_refused(content: bytes) -> None:
    with pytest.raises(BadBencodingError, match="goes on after its end"):
        read(content)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**18 * 99])
def test_D52_a_number_beyond_64_bits_is_refused(number: int) -> None:
    with pytest.raises(BadBencodingError, match="number"):
        read(b"i%de" % number)


def test_a_number_of_a_million_digits_costs_nothing() -> None:
    with pytest.raises(BadBencodingError, match="number"):
        read(b"i" + b"9" * 1_000_000 + b"e")


@pytest.mark.parametrize("opening", [b"l", b"d1:a"])
def test_D52_nesting_is_bounded(opening: bytes) -> None:
    with pytest.raises(BadBencodingError, match="nested deeper"):
        read(opening * 100_000)
    read(b"l" * DEEPEST + b"e" * DEEPEST)


@pytest.mark.parametrize("many", [b"l" + b"0:" * 100_000 + b"e", b"l" + b"le" * 100_000 + b"e"])
def test_D52_many_values_are_refused_before_they_are_built(many: bytes) -> None:
    with pytest.raises(BadBencodingError, match="more values"):
        read(many)


def test_the_bounds_are_the_callers() -> None:
    assert read(b"li1ei2ee", most=3) == [1, 2]
    with pytest.raises(BadBencodingError, match="more values"):
        read(b"li1ei2ee", most=2)
    with pytest.raises(BadBencodingError, match="8 bytes are more than the 7"):
        read(b"li1ei2ee", largest=7)
