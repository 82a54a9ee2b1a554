"""The real clock and the fake one keep the same promises."""

import pytest

from thorp.base.clock import Clock, Randomness, SystemClock, SystemRandomness
from thorp.testing.clock import FakeClock, FakeRandomness


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
def test_monotonic_time_never_goes_backwards(clock: Clock) -> None:
    seen = [clock.monotonic() for _ in range(100)]
    assert seen == sorted(seen)


@pytest.mark.parametrize("chance", [SystemRandomness(), FakeRandomness()])
def test_chance_gives_what_was_asked_for(chance: Randomness) -> None:
    assert len(chance.bytes(33)) == 33
    assert {chance.below(3) for _ in range(200)} == {0, 1, 2}
    assert chance.bytes(16) != chance.bytes(16)
