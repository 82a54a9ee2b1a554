"""Sources that fail in every way, and a disk that does."""

import errno
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from tests.models.pulling import MIB, QUICK
from tests.models.test_fetching import a_partial, fetched, some_bytes
from thorp.base.errors import NetworkError, NotAllowedError, TryAgainError
from thorp.base.files import DiskFullError, explaining
from thorp.models.fetching import LONGEST_WAIT, SEGMENT, FileFetch, LineEndedError, Pace, TransferEndedError
from thorp.models.partial import BLOCK, Partial, bytes_noted
from thorp.models.types import SourceKind
from thorp.testing.sources import FakeSource, Mishap, covered, wanted_of

DATA = some_bytes(2 * SEGMENT + 100)
RIGHT = hashlib.sha256(DATA).hexdigest()
GONE = NetworkError("the line is dead")
ONE = Pace(ranges=1, pauses=(0.001,) * 3)


@pytest.mark.parametrize("error", [GONE, TryAgainError("later"), None])
@pytest.mark.parametrize("after", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5, SEGMENT - 1])
def test_B30_a_line_that_breaks_is_gone_on_with_where_it_broke(
    tmp_path: Path, after: int, error: NetworkError | None
) -> None:
    source = FakeSource(DATA, mishaps=[Mishap(error, after)])

    assert fetched(tmp_path, DATA, source, pace=ONE).sha256 == RIGHT
    assert source.asked[:2] == [(0, SEGMENT), (after, SEGMENT)]
    assert source.bytes_given == len(DATA), "no byte came twice"


def test_B30_failures_in_a_row_are_counted_and_progress_forgives_them(tmp_path: Path) -> None:
    thrice = [Mishap(GONE)] * 3
    source = FakeSource(DATA, mishaps=[*thrice, Mishap(GONE, 10), *thrice[:2], Mishap(GONE, 10)])

    assert fetched(tmp_path, DATA, source, pace=ONE).sha256 == RIGHT


def test_B30_one_failure_too_many_is_the_end_and_what_is_here_stays(tmp_path: Path) -> None:
    source = FakeSource(DATA, mishaps=[Mishap(GONE, 2 * BLOCK + 5), *[Mishap(GONE)] * 3])

    with pytest.raises(NetworkError, match="the line is dead"):
        fetched(tmp_path, DATA, source, pace=ONE)
    assert len(source.asked) == 4
    assert bytes_noted(tmp_path, len(DATA)) == 2 * BLOCK + 5

    again = FakeSource(DATA)
    assert fetched(tmp_path, DATA, again).sha256 == RIGHT
    assert covered(again.given) == again.bytes_given == len(DATA) - 2 * BLOCK - 5
    assert (2 * BLOCK + 5, SEGMENT) in again.asked


def test_B30_an_answer_that_ends_early_again_and_again_is_told(tmp_path: Path) -> None:
    with pytest.raises(LineEndedError, match=r"fake\.example ended its answer"):
        fetched(tmp_path, DATA, FakeSource(DATA, mishaps=[Mishap()] * 4), pace=ONE)


def test_B30_another_source_takes_over(tmp_path: Path) -> None:
    dead = FakeSource(DATA, SourceKind.LAN, mishaps=[Mishap(GONE, 100)] * 99)
    alive = FakeSource(DATA)
    partial = a_partial(tmp_path, len(DATA))
    hashes = FileFetch(wanted_of(DATA), partial, (dead, alive), QUICK, threading.Event()).run(lambda: None)

    assert hashes.sha256 == RIGHT
    assert partial.by_source == {"lan": dead.bytes_given, "hub": alive.bytes_given}
    assert dead.bytes_given + alive.bytes_given == len(DATA)
    partial.release()


def test_B30_who_asks_for_a_pause_gets_it(tmp_path: Path) -> None:
    moments: list[float] = []
    source = FakeSource(
        DATA,
        mishaps=[Mishap(TryAgainError("slowly", retry_after=0.2))],
        opening=lambda _first: moments.append(time.monotonic()),
    )

    assert fetched(tmp_path, DATA, source, pace=Pace(ranges=1, pauses=(0.0,))).sha256 == RIGHT
    assert moments[1] - moments[0] >= 0.2


def test_B30_who_asks_for_too_long_a_pause_ends_it(tmp_path: Path) -> None:
    source = FakeSource(DATA, mishaps=[Mishap(TryAgainError("next week", retry_after=LONGEST_WAIT + 1))])

    with pytest.raises(TryAgainError, match="next week") as failed:
        fetched(tmp_path, DATA, source, pace=ONE)
    assert failed.value.retry_after == LONGEST_WAIT + 1
    assert len(source.asked) == 1


def test_what_it_waits_for_is_told(tmp_path: Path) -> None:
    waits = list[str]()
    partial, stop = a_partial(tmp_path, len(DATA)), threading.Event()
    source = FakeSource(DATA, mishaps=[Mishap(GONE)] * 9)
    fetch = FileFetch(wanted_of(DATA), partial, (source,), Pace(ranges=1, pauses=(60.0,)), stop)

    def tell() -> None:
        waits.append(fetch.waits_for)
        stop.set()

    with pytest.raises(TransferEndedError):
        fetch.run(tell)
    assert waits[-1] == GONE.message
    partial.release()


def test_a_refusal_is_not_repeated(tmp_path: Path) -> None:
    source = FakeSource(DATA, mishaps=[Mishap(NotAllowedError("gated"), 100)])

    with pytest.raises(NotAllowedError):
        fetched(tmp_path, DATA, source, pace=ONE)
    assert len(source.asked) == 1


@pytest.mark.parametrize("where", ["a stall", "a pause", "a limit"])
def test_a_stop_ends_whatever_is_being_waited_for_and_keeps_the_blocks(tmp_path: Path, where: str) -> None:
    stop, come = threading.Event(), threading.Semaphore(0)
    mishaps = {
        "a stall": [Mishap(after=BLOCK + 5, stalls=True)] * 3,
        "a pause": [Mishap(TryAgainError("wait", retry_after=200), BLOCK + 5)] * 3,
        "a limit": [],
    }[where]
    source = FakeSource(DATA, mishaps=mishaps, opening=lambda _first: come.release())
    pace = Pace(ranges=3)
    partial = a_partial(tmp_path, len(DATA))

    def tell() -> None:
        if partial.blocks.bytes_here >= 2 * BLOCK:
            stop.set()

    if where == "a limit":

        class Stuck:
            rate = 1

            def allowed(self, wanted: int) -> int:
                return wanted

            def pay(self, count: int) -> float:
                return 1000.0 if partial.blocks.bytes_here >= 2 * BLOCK else 0.0

        pace = Pace(ranges=3, budgets=(Stuck(),))
    with pytest.raises(TransferEndedError):
        FileFetch(wanted_of(DATA), partial, (source,), pace, stop).run(tell)
    here = partial.blocks.bytes_here
    partial.release()

    assert here >= 2 * BLOCK
    assert bytes_noted(tmp_path, len(DATA)) == here


def test_B26_garbage_in_the_middle_shows_in_every_hash_that_covers_it(tmp_path: Path) -> None:
    wrong = bytearray(DATA)
    wrong[SEGMENT + 5] ^= 1

    hashes = fetched(tmp_path, DATA, FakeSource(bytes(wrong)))

    assert hashes.sha256 == hashlib.sha256(wrong).hexdigest() != RIGHT
    assert hashes.git_sha1 != fetched(tmp_path / "other", DATA, FakeSource(DATA)).git_sha1


class FullDisk(Partial):
    """A disk that takes so many bytes and not one more."""

    room = 3 * BLOCK

    def write(self, data: memoryview, at: int) -> None:
        if at + len(data) > self.room:
            with explaining("write", self.data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(data, at)


def test_C37_a_full_disk_ends_it_with_its_own_code_and_keeps_what_came(tmp_path: Path) -> None:
    partial = FullDisk.held(tmp_path, len(DATA))
    assert partial is not None
    partial.open()
    with pytest.raises(DiskFullError) as failed:
        FileFetch(wanted_of(DATA), partial, (FakeSource(DATA),), Pace(ranges=1), threading.Event()).run(lambda: None)
    partial.release()

    assert (failed.value.code, failed.value.exit_code) == ("files.no_space", 7)
    assert bytes_noted(tmp_path, len(DATA)) == 3 * BLOCK
    source = FakeSource(DATA)
    assert fetched(tmp_path, DATA, source).sha256 == RIGHT
    assert source.bytes_given == len(DATA) - 3 * BLOCK
    assert 3 * BLOCK == 3 * MIB
