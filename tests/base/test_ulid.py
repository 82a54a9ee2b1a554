"""Names that sort as they were made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.ulid import LENGTH, LETTERS, is_ulid, new_ulid
from thorp.testing.clock import FakeClock, FakeRandomness


class Chance:
    """The same byte again and again."""

    def __init__(self, byte: int) -> None:
        self._byte = byte

    def bytes(self, count: int) -> bytes:
        return bytes([self._byte]) * count

    def below(self, limit: int) -> int:
        return 0


def test_the_moment_stands_in_front_as_the_specification_writes_it() -> None:
    assert new_ulid(FakeClock(1469918176.385), Chance(0)) == "01ARYZ6S41" + "0" * 16
    assert new_ulid(FakeClock(0), Chance(255)) == "0" * 10 + "Z" * 16
    assert new_ulid(FakeClock((1 << 48) / 1000 - 0.001), Chance(255)) == "7" + "Z" * 25


@given(st.floats(0, 2e11), st.floats(0, 2e11), st.integers(0, 255), st.integers(0, 255))
def test_later_ones_sort_behind(one: float, other: float, first: int, second: int) -> None:
    earlier, later = sorted((one, other))
    if int(earlier * 1000) < int(later * 1000):
        assert new_ulid(FakeClock(earlier), Chance(first)) < new_ulid(FakeClock(later), Chance(second))


def test_two_of_one_moment_differ() -> None:
    clock, chance = FakeClock(), FakeRandomness()

    assert len({new_ulid(clock, chance) for _ in range(100)}) == 100


@given(st.floats(0, 1e15))
def test_every_one_is_recognised(moment: float) -> None:
    made = new_ulid(FakeClock(moment), FakeRandomness())

    assert is_ulid(made)
    assert len(made) == LENGTH
    assert set(made) <= set(LETTERS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 25,
        "0" * 27,
        "8" + "0" * 25,
        "0" * 25 + "U",
        "0" * 25 + "a",
        "../" + "0" * 23,
        "0" * 25 + "\n",
        "\u0660" * 26,
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert not is_ulid(text)
