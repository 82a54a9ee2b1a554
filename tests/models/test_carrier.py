from pathlib import Path

import pytest

from tests.models.test_records import a_record
from thorp.models.carrier import CANCEL, CANCEL_KEEPING, PAUSE, Carrier
from thorp.models.pull import Standing
from thorp.models.records import Record, RecordBook, State
from thorp.testing.clock import FakeClock


class Carried:
    def __init__(self, folder: Path) -> None:
        self.book = RecordBook(folder / "transfers")
        self.book.open()
        self.clock = FakeClock()
        self.told: list[Record] = []
        self.carrier = Carrier(a_record(total=1000, limit=50), self.book, self.clock, self.told.append)

    @property
    def id(self) -> str:
        return self.carrier.record.id

    def came(self, done: int, seconds: float = 1.0, *, verifying: bool = False, note: str = "note") -> Record:
        self.clock.advance(seconds)
        self.carrier.progress(Standing(1000, done, {"hub": done}, note, verifying=verifying))
        return self.told[-1]


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    return Carried(tmp_path)


def test_a_step_is_on_disk_before_it_is_told(carried: Carried) -> None:
    changed = carried.carrier.change(state=State.FAILED)

    assert carried.book.get(carried.id) == changed == carried.told[-1]
    assert changed.updated.startswith("2023-11-14")


def test_progress_is_kept_and_told(carried: Carried) -> None:
    row = carried.came(100)

    assert (row.state, row.done, dict(row.by_source), row.note) == (State.ACTIVE, 100, {"hub": 100}, "note")
    assert carried.book.get(carried.id) == row
    assert carried.came(1000, verifying=True).state is State.VERIFYING


def test_the_rate_follows_slowly_and_the_rest_is_foretold(carried: Carried) -> None:
    first, second = carried.came(100, note=""), carried.came(300, note="")

    assert (first.rate, first.eta) == (100, 9.0)
    assert (second.rate, second.eta) == (130, round(700 / 130, 1))
    assert carried.came(310, note="the hub is away").eta is None, "who waits for something knows no end"


def test_without_time_or_bytes_nothing_is_foretold(carried: Carried) -> None:
    assert (carried.came(0).rate, carried.told[-1].eta) == (0, None)
    assert carried.came(100, seconds=0.0).rate == 0


def test_who_has_to_start_over_has_no_rate_below_nothing(carried: Carried) -> None:
    carried.came(100)

    assert carried.came(50).rate == 70


@pytest.mark.parametrize("wish", [PAUSE, CANCEL, CANCEL_KEEPING])
def test_a_wish_from_elsewhere_ends_it(carried: Carried, wish: str) -> None:
    carried.book.wish(carried.id, wish)
    carried.came(10)

    assert (carried.carrier.stop.is_set(), carried.carrier.why) == (True, wish)


def test_a_limit_from_elsewhere_counts_at_once(carried: Carried) -> None:
    assert carried.carrier.own_limit.rate == 50
    carried.book.wish_limit(carried.id, 70)
    carried.carrier.heed()

    assert carried.carrier.own_limit.rate == 70
    assert carried.book.get(carried.id).limit == 70
    assert not carried.carrier.stop.is_set()


def test_a_limit_never_hides_a_wish_to_end(carried: Carried) -> None:
    carried.book.wish(carried.id, PAUSE)
    carried.book.wish_limit(carried.id, 70)
    carried.carrier.heed()

    assert (carried.carrier.why, carried.carrier.own_limit.rate) == (PAUSE, 70)


def test_what_is_no_wish_is_passed_over(carried: Carried) -> None:
    carried.book.wish(carried.id, "explode")
    carried.came(10)

    assert not carried.carrier.stop.is_set()


def test_the_first_reason_to_end_counts(carried: Carried) -> None:
    carried.carrier.end(PAUSE)
    carried.carrier.end(CANCEL)

    assert carried.carrier.why == PAUSE


def test_progress_that_cannot_be_noted_ends_nothing(carried: Carried) -> None:
    carried.book._folder.rmdir()

    assert carried.came(10).done == 10
    assert not carried.carrier.stop.is_set()
