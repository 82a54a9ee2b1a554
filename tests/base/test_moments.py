"""Moments as RFC 3339."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from thorp.base.moments import rfc3339, seconds_of


def test_a_moment_is_utc_with_milliseconds() -> None:
    assert rfc3339(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


@given(some.integers(0, 4_000_000_000_000))
def test_there_and_back(milliseconds: int) -> None:
    assert seconds_of(rfc3339(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=0.0011)


@pytest.mark.parametrize("text", ["", "tomorrow", "2023-11-14", "2023-11-14T22:13:20"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seconds_of(text)
