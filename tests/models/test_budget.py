"""Limits on what comes in: arithmetic on a clock that stands still."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.budget import LOOK_AGAIN, SMALLEST, Budget, allowed, pay, strictest
from thorp.testing.clock import FakeClock

MIB = 1024 * 1024


class Waiting:
    """A stop that never comes; waiting for it moves the clock."""

    def __init__(self, clock: FakeClock, ends_after: float = math.inf) -> None:
        self.waited: list[float] = []
        self._clock = clock
        self._ends_after = ends_after

    def is_set(self) -> bool:
        return sum(self.waited) >= self._ends_after

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        self._clock.advance(timeout or 0.0)
        return self.is_set()


def test_no_limit_lets_everything_through_at_once() -> None:
    clock = FakeClock()
    budget, stop = Budget(clock), Waiting(clock)

    assert budget.allowed(MIB) == MIB
    assert budget.pay(1 << 40) == 0
    pay((budget,), 1 << 40, stop)
    pay((), 1 << 40, stop)
    assert stop.waited == []


def test_what_was_taken_is_paid_for_with_time() -> None:
    clock = FakeClock()
    budget = Budget(clock, 1000)

    assert budget.pay(500) == 0.5
    assert budget.pay(500) == 1.0
    clock.advance(0.75)
    assert budget.pay(0) == 0.25
    clock.advance(60)
    assert budget.pay(100) == pytest.approx(0.1), "idle time is not saved up"


@given(st.integers(10_000, 10**9), st.lists(st.integers(1, MIB), min_size=1, max_size=50))
def test_never_more_comes_than_the_rate_allows(rate: int, wishes: list[int]) -> None:
    clock = FakeClock(monotonic=0.0)
    budget, stop = Budget(clock, rate), Waiting(clock)
    taken = 0
    for wish in wishes:
        count = allowed((budget,), wish)
        taken += count
        pay((budget,), count, stop)
        assert 0 < count <= min(wish, max(SMALLEST, rate // 10))
        assert math.isclose(clock.monotonic(), taken / rate, rel_tol=1e-6, abs_tol=1e-6)


def test_the_strictest_of_several_decides() -> None:
    clock = FakeClock(monotonic=0.0)
    wide, narrow, stop = Budget(clock, 10 * MIB), Budget(clock, MIB), Waiting(clock)

    count = allowed((wide, narrow), 8 * MIB)
    pay((wide, narrow), count, stop)

    assert count == MIB // 10
    assert math.isclose(clock.monotonic(), count / MIB)


def test_two_that_share_a_limit_wait_for_one_another() -> None:
    clock = FakeClock()
    shared = Budget(clock, MIB)

    assert shared.pay(MIB) == 1.0
    assert shared.pay(MIB) == 2.0


def test_a_new_limit_forgets_what_was_owed() -> None:
    clock = FakeClock()
    budget = Budget(clock, 10)
    budget.pay(1000)

    budget.set(1000)

    assert budget.rate == 1000
    assert budget.pay(100) == pytest.approx(0.1)
    budget.set(0)
    assert budget.pay(1000) == 0.0


def test_who_waits_under_an_old_limit_notices_the_new_one() -> None:
    clock = FakeClock()
    budget = Budget(clock, 1)

    class Changing(Waiting):
        def wait(self, timeout: float | None = None) -> bool:
            budget.set(0)
            return super().wait(timeout)

    stop = Changing(clock)
    pay((budget,), SMALLEST, stop)

    assert stop.waited == [LOOK_AGAIN]


def test_a_stop_ends_the_longest_wait() -> None:
    clock = FakeClock()
    stop = Waiting(clock, ends_after=2 * LOOK_AGAIN)

    pay((Budget(clock, 1),), SMALLEST, stop)

    assert stop.waited == [LOOK_AGAIN, LOOK_AGAIN]


def test_the_strictest_limit_is_the_lowest_that_is_one() -> None:
    clock = FakeClock()

    assert strictest((Budget(clock), Budget(clock, 9), Budget(clock, 5))) == 5
    assert strictest((Budget(clock),)) == strictest(()) == 0
