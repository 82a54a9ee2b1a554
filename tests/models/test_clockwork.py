"""Progress is what is enough of it: neither a trickle nor what is taken back, and never less than a limit lets by."""

import pytest

from thorp.models.clockwork import ENOUGH, WITHOUT_PROGRESS, Clockwork, enough, patience


def quiet(floor: int, *moments: int) -> list[float]:
    clockwork = Clockwork()
    return [clockwork.tick(done, 2.0, floor) for done in moments]


def test_progress_counts_from_enough_of_it() -> None:
    assert quiet(1, 0, 0, 0, 1, 1) == [0.0, 2.0, 4.0, 0.0, 2.0]
    assert quiet(10, 0, 9, 10, 19, 20) == [0.0, 2.0, 0.0, 2.0, 0.0]


def test_what_is_taken_back_is_no_progress_and_what_comes_afterwards_is() -> None:
    assert quiet(10, 100, 50, 55, 60) == [0.0, 2.0, 4.0, 0.0]
    assert quiet(10, 100, 99, 100, 99, 100) == [0.0, 2.0, 4.0, 6.0, 8.0]


@pytest.mark.parametrize("rate", [1, 1_000, 20_000, 1_000_000, 1 << 40])
def test_what_a_limit_lets_through_is_always_enough(rate: int) -> None:
    assert 1 <= enough(rate) <= min(ENOUGH, max(1, rate * WITHOUT_PROGRESS))
    assert patience(rate) * rate >= 16 * 1024


def test_without_a_limit_a_trickle_is_not_enough() -> None:
    assert (enough(0), patience(0)) == (ENOUGH, WITHOUT_PROGRESS)
