import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.mesh.answers import (
    LARGEST_BODY,
    BodyTooLargeError,
    HungUpError,
    RangeRefusedError,
    bearer_of,
    range_of,
    read_body,
)

TOKEN = "A" * 43


def body_of(messages: Sequence[dict[str, Any]]) -> bytes:
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    return asyncio.run(read_body(receive))


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


def test_a_body_is_read_to_its_end() -> None:
    assert body_of([part(b"ab"), part(b"c", more=False)]) == b"abc"


def test_a_body_is_not_read_beyond_its_bound() -> None:
    with pytest.raises(BodyTooLargeError):
        body_of([part(b"x" * LARGEST_BODY), part(b"x")])


def test_a_body_that_breaks_off_is_none() -> None:
    with pytest.raises(HungUpError):
        body_of([part(b"x"), {"type": "http.disconnect"}])


@pytest.mark.parametrize(
    ("values", "token"),
    [
        ([b"Bearer " + TOKEN.encode()], TOKEN),
        ([b"bearer " + TOKEN.encode()], TOKEN),
        ([], ""),
        ([b"Bearer x"], ""),
        ([b"Basic " + TOKEN.encode()], ""),
        ([b"Bearer " + TOKEN.encode()] * 2, ""),
        ([b"Bearer " + b"\xff" * 43], ""),
    ],
)
def test_exactly_one_token_counts(values: list[bytes], token: str) -> None:
    assert bearer_of([(b"authorization", value) for value in values]) == token


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 80))
def test_a_range_lies_within_the_file(first: int, last: int, size: int) -> None:
    try:
        found = range_of(b"bytes=%d-%d" % (first, last), size)
    except RangeRefusedError:
        assert first > last or first >= size
    else:
        assert found == (first, min(size, last + 1))


@given(st.binary(max_size=40))
def test_no_range_header_does_harm(header: bytes) -> None:
    try:
        found = range_of(header, 100)
    except RangeRefusedError:
        return
    assert found is not None
    assert 0 <= found[0] < found[1] <= 100
