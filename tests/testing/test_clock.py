"""Time and chance in a test's hand."""

from thorp.testing.clock import FakeClock, FakeRandomness


def test_time_passes_only_when_told() -> None:
    clock = FakeClock(wall=100.0, monotonic=5.0)
    clock.advance(2.5)
    assert (clock.wall(), clock.monotonic()) == (102.5, 7.5)


def test_the_wall_clock_can_jump_alone() -> None:
    clock = FakeClock(wall=100.0, monotonic=5.0)
    clock.set_wall(1.0)
    assert (clock.wall(), clock.monotonic()) == (1.0, 5.0)


def test_the_same_seed_gives_the_same_chance_and_never_the_same_twice() -> None:
    first, second = FakeRandomness(7), FakeRandomness(7)
    drawn = [first.bytes(40) for _ in range(10)]
    assert drawn == [second.bytes(40) for _ in range(10)]
    assert len(set(drawn)) == 10
    assert FakeRandomness(8).bytes(40) != drawn[0]
