import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.access.budgets import MOST_BUCKETS, RateLimitedError, RequestBudgets
from thorp.access.keys import MOST_KEYS
from thorp.testing.clock import FakeClock


def granted(budgets: RequestBudgets, times: int, rpm: int, key: str = "k1") -> int:
    """How many of so many requests at this moment get through."""
    through = 0
    for _ in range(times):
        try:
            budgets.spend(key, rpm)
        except RateLimitedError:
            continue
        through += 1
    return through


def test_a_key_may_ask_as_often_as_its_budget_says() -> None:
    budgets = RequestBudgets(FakeClock())

    assert granted(budgets, 20, rpm=5) == 5


def test_a_refusal_says_when_to_come_back_and_coming_back_then_works() -> None:
    clock = FakeClock()
    budgets = RequestBudgets(clock)
    granted(budgets, 4, rpm=4)

    with pytest.raises(RateLimitedError, match="4 times a minute") as caught:
        budgets.spend("k1", 4)

    assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("access.rate_limited", 429, 15.0)
    clock.advance(caught.value.retry_after)
    assert granted(budgets, 2, rpm=4) == 1


def test_refused_requests_cost_nothing() -> None:
    clock = FakeClock()
    budgets = RequestBudgets(clock)
    granted(budgets, 100, rpm=60)

    clock.advance(1)

    assert granted(budgets, 2, rpm=60) == 1


def test_the_bucket_never_holds_more_than_a_minute() -> None:
    clock = FakeClock()
    budgets = RequestBudgets(clock)
    granted(budgets, 10, rpm=10)

    clock.advance(86_400)

    assert granted(budgets, 100, rpm=10) == 10


def test_the_wall_clock_decides_nothing() -> None:
    clock = FakeClock()
    budgets = RequestBudgets(clock)
    granted(budgets, 10, rpm=10)

    clock.set_wall(clock.wall() + 86_400)

    assert granted(budgets, 1, rpm=10) == 0


def test_one_key_does_not_spend_the_budget_of_another() -> None:
    budgets = RequestBudgets(FakeClock())
    granted(budgets, 5, rpm=5, key="k1")

    assert granted(budgets, 5, rpm=5, key="k2") == 5


def test_the_table_is_bounded_and_forgets_who_was_silent_longest() -> None:
    budgets = RequestBudgets(FakeClock(), room=2)
    for key in ("k1", "k2", "k1", "k3"):
        budgets.spend(key, 2)

    assert list(budgets._buckets) == ["k1", "k3"]
    assert granted(budgets, 1, rpm=2, key="k1") == 0


def test_every_live_key_fits_into_the_table() -> None:
    assert MOST_BUCKETS > MOST_KEYS


@given(st.integers(1, 1_000), st.lists(st.floats(0, 30), max_size=60))
def test_over_any_time_nobody_gets_more_than_a_minute_and_the_refill(rpm: int, pauses: list[float]) -> None:
    clock = FakeClock()
    budgets, through = RequestBudgets(clock), 0
    for pause in pauses:
        clock.advance(pause)
        through += granted(budgets, 3, rpm)

    assert through <= rpm + sum(pauses) * rpm / 60 + 1e-6
