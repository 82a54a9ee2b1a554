"""One file in several ranges: in order, within a window, hashed in one pass, and never fetched twice."""

import hashlib
import threading
from pathlib import Path

import pytest

from tests.models.pulling import MIB, QUICK
from thorp.base.errors import ThorpError
from thorp.models.budget import Budget
from thorp.models.fetching import SEGMENT, STEP, WINDOW, FileFetch, Pace, Window
from thorp.models.hashing import Hashes
from thorp.models.partial import BLOCK, Partial, read_note
from thorp.swarm.recipes import PIECE
from thorp.testing.clock import FakeClock
from thorp.testing.gguf import random_bytes
from thorp.testing.library import git_name, piece_hashes
from thorp.testing.sources import FakeSource, covered, wanted_of

AHEAD = WINDOW // SEGMENT
BASE = random_bytes(1, "fetched", MIB)


def some_bytes(size: int) -> bytes:
    """No two mebibytes are the same."""
    whole = b"".join(number.to_bytes(8, "big") + BASE[8:] for number in range(-(-size // MIB)))
    return whole[:size]


def a_partial(folder: Path, size: int) -> Partial:
    partial = Partial.held(folder, size)
    assert partial is not None
    partial.open()
    return partial


def fetched(
    folder: Path, data: bytes, *sources: FakeSource, pace: Pace = QUICK, stop: threading.Event | None = None
) -> Hashes:
    partial = a_partial(folder, len(data))
    try:
        fetch = FileFetch(wanted_of(data, git=True), partial, sources, pace, stop or threading.Event())
        return fetch.run(lambda: None)
    finally:
        partial.release()


@pytest.mark.parametrize(
    "size", [0, 1, MIB - 1, MIB, MIB + 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, PIECE - 1, PIECE, PIECE + 1, 40_000_000]
)
def test_every_hash_is_right_and_every_byte_is_fetched_once(tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    source = FakeSource(data)

    hashes = fetched(tmp_path, data, source)

    assert hashes == Hashes(hashlib.sha256(data).hexdigest(), git_name(data), piece_hashes(data), size)
    assert (tmp_path / "data").read_bytes() == data
    assert source.bytes_given == covered(source.given) == size
    assert (read_note(tmp_path) or {})["by_source"] == ({"hub": size} if size else {})


@pytest.mark.parametrize("ranges", [1, 3, 16])
def test_so_many_ranges_run_at_once_and_begin_at_the_front(tmp_path: Path, ranges: int) -> None:
    data, at_once = some_bytes(5 * SEGMENT), min(ranges, 5)
    meeting = threading.Barrier(at_once)  # broken, and the test with it, unless so many meet

    def opening(first: int) -> None:
        if first < at_once * SEGMENT:
            meeting.wait(30)

    source = FakeSource(data, opening=opening)
    fetched(tmp_path, data, source, pace=Pace(ranges=ranges, pauses=()))

    spans = [(at, at + SEGMENT) for at in range(0, len(data), SEGMENT)]
    assert sorted(source.asked) == spans
    assert set(source.asked[:at_once]) == set(spans[:at_once])


def test_the_fastest_range_is_never_further_ahead_than_the_window(tmp_path: Path) -> None:
    data = bytes((AHEAD + 4) * SEGMENT)
    gate, too_early, others = threading.Event(), threading.Event(), threading.Semaphore(0)

    def opening(first: int) -> None:
        if first == 0:
            gate.wait(30)
        elif first >= WINDOW and not gate.is_set():
            too_early.set()
        else:
            others.release()

    source = FakeSource(data, opening=opening)
    work = threading.Thread(target=fetched, args=(tmp_path, data, source))
    work.start()
    for _ in range(AHEAD - 1):
        assert others.acquire(timeout=30)
    assert not too_early.wait(0.2)
    gate.set()
    work.join()

    assert covered(source.given) == source.bytes_given == len(data)
    assert not too_early.is_set()


def test_a_window_deals_sixteen_and_another_for_each_that_is_hashed() -> None:
    window = Window(WINDOW + 5, hashers=2)
    dealt = [window.deal() for _ in range(AHEAD)]
    segments = [one for one in dealt if one is not None]
    later: list[object] = []
    waiting = threading.Thread(target=lambda: later.append(window.deal()))
    waiting.start()
    window.filled(segments[1])
    window.filled(segments[0])
    fast, slow = window.in_order(0), window.in_order(1)
    first = segments[0]
    assert next(fast).obj is next(slow).obj is first.buffer
    assert next(fast).obj is segments[1].buffer
    assert later == [], "the slower hasher is not through yet"
    next(slow)
    waiting.join(10)

    assert window.count == AHEAD + 1
    last = later[0]
    assert last is not None
    assert (last.first, last.end) == (WINDOW, WINDOW + 5)
    assert last.buffer is first.buffer, "memory is used again"
    assert len(last.view) == 5


def test_C35_what_is_here_is_read_again_and_only_the_rest_is_fetched(tmp_path: Path) -> None:
    data = some_bytes(3 * SEGMENT + 12_345)
    partial = a_partial(tmp_path, len(data))
    here = [(0, 2 * BLOCK + 99), (5 * BLOCK, 9 * BLOCK), (3 * SEGMENT, len(data))]
    for first, end in here:
        partial.write(memoryview(data)[first:end], first)
        partial.blocks.mark(first, end)
    partial.by_source["lan"] = 77
    partial.note()
    partial.release()
    source = FakeSource(data)

    hashes = fetched(tmp_path, data, source)

    assert hashes.sha256 == hashlib.sha256(data).hexdigest()
    assert hashes.pieces == piece_hashes(data)
    assert sorted(source.asked) == [
        (2 * BLOCK + 99, 5 * BLOCK),
        (9 * BLOCK, 2 * SEGMENT),
        (2 * SEGMENT, 3 * SEGMENT),
    ]
    assert (read_note(tmp_path) or {})["by_source"] == {"lan": 77, "hub": source.bytes_given}


def test_C35_a_file_that_is_here_whole_asks_nobody(tmp_path: Path) -> None:
    data = some_bytes(SEGMENT + 5)
    fetched(tmp_path, data, FakeSource(data))
    source = FakeSource(data)

    assert fetched(tmp_path, data, source).sha256 == hashlib.sha256(data).hexdigest()
    assert source.asked == []


def test_progress_is_told_and_noted_while_it_comes(tmp_path: Path) -> None:
    data, told, half = some_bytes(2 * SEGMENT), list[int](), threading.Event()

    def opening(first: int) -> None:
        if first:
            half.wait(30)

    def tell() -> None:
        told.append(partial.blocks.bytes_here)
        note = read_note(tmp_path) or {}
        if partial.blocks.bytes_here == SEGMENT and note.get("here") == [[0, SEGMENT // BLOCK]]:
            half.set()

    partial = a_partial(tmp_path, len(data))
    FileFetch(wanted_of(data), partial, (FakeSource(data, opening=opening),), QUICK, threading.Event()).run(tell)
    partial.release()

    assert half.is_set()
    assert SEGMENT in told


def test_a_limit_is_asked_before_and_paid_after_each_step(tmp_path: Path) -> None:
    class Recorded(Budget):
        def __init__(self) -> None:
            super().__init__(FakeClock(), 10 * STEP * 10)
            self.paid = list[int]()

        def pay(self, count: int) -> float:
            self.paid.append(count)
            return 0.0

    budget, data = Recorded(), some_bytes(SEGMENT + 5)
    narrow = Recorded()
    narrow.set(10 * 100_000)

    fetched(tmp_path, data, FakeSource(data), pace=Pace(budgets=(budget, narrow)))

    assert sum(budget.paid) == sum(narrow.paid) == len(data)
    assert max(budget.paid) == 100_000


def test_who_told_fails_ends_the_work_at_once(tmp_path: Path) -> None:
    """A disk that is full where progress is told, or Ctrl-C: nobody goes on fetching for a caller that is gone."""
    data = some_bytes(2 * SEGMENT)
    from_nowhere = threading.Event()

    def tell() -> None:
        raise ThorpError("nobody listens")

    source = FakeSource(data, opening=lambda _first: None, most=1000)
    partial = a_partial(tmp_path, len(data))
    fetch = FileFetch(wanted_of(data), partial, (source,), Pace(budgets=(Budget(FakeClock(), 20_000),)), from_nowhere)
    with pytest.raises(ThorpError, match="nobody listens"):
        fetch.run(tell)
    partial.release()

    assert source.bytes_given < len(data)
