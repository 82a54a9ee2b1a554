"""One file from all neighbours at once: noted by source, hashed on the way, and helped where they are slow."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.swarms import (
    ALL,
    CARD,
    DATA,
    EACH,
    PACE,
    PIECES,
    RIGHT,
    SHORTER,
    SIZE,
    SOON,
    Case,
    RealSwarm,
    ScriptedDownload,
    ScriptedSwarm,
    Village,
    blocks_of,
    claiming,
    hashes_of,
    here_and_right,
    note_of,
    standing_of,
    torrent_for,
    when_any,
)
from thorp.base.errors import NetworkError
from thorp.models.after_kill import check_again
from thorp.models.budget import Budget
from thorp.models.clockwork import WITHOUT_PROGRESS
from thorp.models.fetching import TICK, FileFetch, Pace, TransferEndedError
from thorp.models.hashing import Hashes
from thorp.models.partial import BLOCK, TORRENT
from thorp.models.swarming import ALONE, torrent_of
from thorp.models.types import SourceKind
from thorp.swarm.download import PeerStanding, SlowDiskError, Standing
from thorp.swarm.merkle import Leaves
from thorp.swarm.recipes import PIECE, public_torrent
from thorp.testing.clock import FakeClock
from thorp.testing.library import piece_hashes
from thorp.testing.sources import FakeSource, Mishap

# What comes, and how it is noted


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, SIZE])
def test_bytes_come_are_hashed_on_the_way_and_noted_with_their_source(
    tmp_path: Path, around: Village, size: int
) -> None:
    data = DATA[:size]
    case = Case(tmp_path / "home", data, torrent_for(data))
    around.neighbour(data, case.torrent)
    swarm = RealSwarm(around)
    with case.partial() as partial:
        assert case.fetched(partial, swarm) == hashes_of(data)
        assert set(partial.drawn()) == {"l"}

    note = note_of(case)
    assert (note["by_source"], note["in_engine"]) == ({"lan": size}, False)
    assert (case.folder / "data").read_bytes() == data
    assert (case.folder / TORRENT).read_bytes() == case.torrent
    assert swarm.in_order == [True], "from one alone in order, so that hashing keeps up"


def test_from_several_it_comes_in_any_order(case: Case, around: Village) -> None:
    for _ in range(2):
        around.neighbour(DATA, RIGHT)
    swarm = RealSwarm(around)
    with case.partial() as partial:
        assert case.fetched(partial, swarm) == hashes_of(DATA)
    assert swarm.in_order == [False]


def test_what_the_hub_began_goes_on_with_neighbours_and_nothing_comes_twice(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    swarm = RealSwarm(around)
    with case.partial(blocks_of(0, 3)) as partial:
        before = dict(partial.by_source)
        assert case.fetched(partial, swarm) == hashes_of(DATA)
        assert partial.by_source == before | {"lan": SIZE - before["hub"]}

    assert swarm.begun == [[True, False, False, True]]
    assert around.here.traffic().down == SIZE - before["hub"]


def test_a_piece_that_is_here_in_part_comes_whole(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    swarm = RealSwarm(around)
    with case.partial((*blocks_of(0), 17, 48)) as partial:
        assert case.fetched(partial, swarm) == hashes_of(DATA)
    assert swarm.begun == [[True, False, False, True]]


def test_what_neighbours_began_goes_on_with_the_hub_and_nothing_comes_twice(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT, (0, 1))
    swarm = RealSwarm(around, step=when_any(case.stop.set))
    with case.partial() as partial, pytest.raises(TransferEndedError):
        case.fetched(partial, swarm)
    came = here_and_right(case)
    assert 0 < came < SIZE // BLOCK

    hub = FakeSource(DATA)
    with case.partial() as partial:
        fetch = FileFetch(case.wanted, partial, (hub,), PACE, threading.Event())
        assert fetch.run(lambda: None) == hashes_of(DATA)
    assert hub.bytes_given == SIZE - came * BLOCK
    assert note_of(case)["by_source"] == {"lan": came * BLOCK, "hub": hub.bytes_given}


def test_after_a_stop_the_neighbours_go_on_where_they_were(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT, (0, 1))
    first = RealSwarm(around, step=when_any(case.stop.set))
    with case.partial() as partial, pytest.raises(TransferEndedError):
        case.fetched(partial, first)
    came = here_and_right(case)
    around.neighbour(DATA, RIGHT)
    case.stop.clear()

    second = RealSwarm(around)
    with case.partial() as partial:
        check_again(partial, case.stop)
        assert case.fetched(partial, second) == hashes_of(DATA)
    assert sum(second.begun[0]) == came // EACH


# Others help


def test_always_means_that_others_help_from_the_first_look(case: Case, around: Village) -> None:
    hub = FakeSource(DATA)
    with case.partial() as partial:
        assert case.fetched(partial, RealSwarm(around, hidden=True), hub, pace=ALL) == hashes_of(DATA)
        assert partial.by_source == {"hub": SIZE}
        assert set(partial.drawn()) == {"h"}
    assert hub.bytes_given == SIZE


def test_others_help_out_neighbours_that_went_quiet(case: Case, around: Village) -> None:
    hub = FakeSource(DATA)
    with case.partial(blocks_of(0, 1)) as partial:
        swarm = RealSwarm(around, hidden=True, hurry=True)
        assert case.fetched(partial, swarm, hub, pace=SOON) == hashes_of(DATA)
    assert hub.bytes_given == SIZE - 2 * PIECE


def test_both_bring_their_part_and_what_each_brought_is_noted(case: Case, around: Village) -> None:
    came = threading.Event()
    around.neighbour(DATA, RIGHT, (1, 2))
    hub = FakeSource(DATA, opening=lambda _first: came.wait(30) and None)
    swarm = RealSwarm(around, step=when_any(came.set))
    with case.partial() as partial:
        assert case.fetched(partial, swarm, hub, pace=ALL) == hashes_of(DATA)
        assert sum(partial.by_source.values()) == SIZE
        assert {name for name, count in partial.by_source.items() if count} == {"hub", "lan"}
        assert set(partial.drawn()) <= {"h", "l"}


def moving(*moments: int) -> list[Standing]:
    """Looks at which so many bytes are here of a first piece, and then no more."""
    return [standing_of([0] * PIECES, done=one) for one in moments]


def asked_after(
    case: Case, looks: Sequence[Standing], mix: str, pace: Pace = ALL
) -> tuple[float, Hashes | None, float]:
    """When the first helper was asked, what came of it, and how long it took, in seconds of ticks."""
    moments: list[float] = []
    download = ScriptedDownload(list(looks), bytes(PIECES))
    refusing = [Mishap(NetworkError("nobody answers"))] * 100
    hub = FakeSource(DATA, mishaps=refusing, opening=lambda _first: moments.append(download.waited))
    with case.partial() as partial:
        found = case.fetched(partial, ScriptedSwarm(download), hub, pace=replace(pace, mix=mix))
    assert download.closed == 1
    assert download.peers[0] == (("127.0.0.9", 1),)
    return min(moments, default=-1.0), found, download.waited


def test_auto_means_that_others_are_asked_after_quiet_and_not_before(case: Case) -> None:
    busy = [BLOCK * number for number in range(60)]
    asked, found, ended = asked_after(case, moving(*busy), "auto")

    assert asked >= 59 * TICK + WITHOUT_PROGRESS - 1e-6, "sixty looks at which something came, and then the quiet"
    assert (found, ended >= asked) == (None, True), "nobody is left who could bring it"


def test_a_trickle_does_not_keep_others_out(case: Case) -> None:
    """Nor does what comes and goes again."""
    trickling = [number % 50 * 100 for number in range(1000)]
    asked, _, _ = asked_after(case, moving(*trickling), "auto")

    assert WITHOUT_PROGRESS - 1e-6 <= asked < WITHOUT_PROGRESS + 3 * TICK


def test_under_a_limit_of_the_owner_slow_is_what_he_wanted(case: Case) -> None:
    rate = 20_000
    moments = [round(number * TICK * rate) for number in range(200)]
    pace = replace(SOON, budgets=(Budget(FakeClock(), rate),))
    asked, _, _ = asked_after(case, moving(*moments), "auto", pace)

    assert asked >= 200 * TICK - 1e-6


def test_never_means_that_nobody_else_is_asked_and_the_swarm_is_left_after_a_while(case: Case) -> None:
    asked, found, ended = asked_after(case, moving(0), "never")

    assert (asked, found) == (-1.0, None)
    assert ALONE <= ended < ALONE + 3 * TICK


def test_always_asks_others_before_anything_is_quiet(case: Case) -> None:
    assert asked_after(case, moving(0), "always")[0] < WITHOUT_PROGRESS


def test_peers_are_offered_again_and_again(case: Case) -> None:
    download = ScriptedDownload([standing_of([0] * PIECES)], bytes(PIECES))
    with case.partial() as partial:
        assert case.fetched(partial, ScriptedSwarm(download)) is None
    assert len(download.peers) > 10


def test_an_engine_that_takes_no_piece_leaves_the_work_to_others(case: Case) -> None:
    download = ScriptedDownload([standing_of([0] * PIECES)], bytes(PIECES), refuses=SlowDiskError("it takes no more"))
    with case.partial() as partial:
        assert case.fetched(partial, ScriptedSwarm(download), FakeSource(DATA), pace=ALL) is None


def test_it_says_when_it_waits(case: Case) -> None:
    busy = PeerStanding("127.0.0.9", 1, 5, 0, 1.0)
    looks = [
        standing_of([0] * PIECES),
        standing_of([0] * PIECES, done=7, came=7, peers=(busy,)),
        standing_of([1] * PIECES),
    ]
    said: list[tuple[str, int]] = []
    with case.partial() as partial:
        fetch = case.fetch(partial, ScriptedSwarm(ScriptedDownload(looks, bytes([1]) * PIECES)))
        fetch.run(lambda: said.append((fetch.waits_for, fetch.done)))
    assert said == [("waits for neighbours", 0), ("", 7), ("", SIZE)]


# Limits


class Till(Budget):
    """Writes down what it was paid, and lets everybody pass."""

    def __init__(self, rate: int) -> None:
        super().__init__(FakeClock(), rate)
        self.paid = 0

    def pay(self, count: int) -> float:
        self.paid += count
        return 0.0


def test_limits_see_the_bytes_of_the_swarm_and_the_strictest_holds_for_it(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    tills = (Till((1 << 31) - 1), Till(0), Till(1 << 40))
    with case.partial(blocks_of(1)) as partial:
        swarm = RealSwarm(around)
        case.fetched(partial, swarm, pace=replace(PACE, budgets=tills))
    assert [one.paid for one in tills] == [SIZE - PIECE] * 3
    assert set(swarm.limits) == {(1 << 31) - 1}


@pytest.mark.parametrize("kind", [SourceKind.HUB, SourceKind.LAN])
def test_what_helpers_bring_is_paid_for_once(case: Case, around: Village, kind: SourceKind) -> None:
    till = Till(0)
    helper = FakeSource(DATA, kind)
    with case.partial() as partial:
        case.fetched(partial, RealSwarm(around, hidden=True), helper, pace=replace(ALL, budgets=(till,)))
    assert till.paid == SIZE == helper.bytes_given


# Which torrent


def test_the_first_torrent_that_fits_is_taken(case: Case) -> None:
    leaves = Leaves()
    leaves.update(memoryview(DATA))
    public = public_torrent("m.gguf", SIZE, piece_hashes(DATA), leaves.digest(), card=CARD).content
    swarm = ScriptedSwarm(claiming(b""), (b"", b"d4:infode", public, SHORTER, RIGHT, b"x"))

    found = torrent_of(swarm, case.wanted)
    assert found == case.read
    assert torrent_of(ScriptedSwarm(claiming(b""), (public,)), case.wanted) is None
