"""One file from all neighbours at once: noted by source, true after every end, and right whoever lies."""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.swarms import (
    CARD,
    PACE,
    Case,
    RealSwarm,
    ScriptedDownload,
    ScriptedSwarm,
    Village,
    some_bytes,
    spoiled,
    standing_of,
    torrent_for,
    village,
)
from thorp.base.errors import IntegrityError, NetworkError, ThorpError
from thorp.models.budget import Budget
from thorp.models.fetching import TICK, FileFetch, Pace, TransferEndedError
from thorp.models.files_in import Bringing, bring
from thorp.models.hashing import Hashes
from thorp.models.household_swarm import EngineGoneError
from thorp.models.partial import BLOCK, TORRENT, Partial, read_note
from thorp.models.stages import unwatched
from thorp.models.swarming import (
    ALONE,
    CHECKED_WHOLE,
    WITHOUT_PROGRESS,
    Clockwork,
    DoubtedTorrentError,
    Frontier,
    Swarm,
    check_again,
    is_written,
    torrent_of,
)
from thorp.models.types import SourceKind
from thorp.swarm.download import PeerStanding, SlowDiskError, Standing
from thorp.swarm.merkle import Leaves
from thorp.swarm.recipes import PIECE, public_torrent
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, piece_hashes
from thorp.testing.sources import FakeSource, Mishap, wanted_of

DATA = some_bytes(49)
WRONG = spoiled(DATA)
SIZE, PIECES, EACH = len(DATA), 4, PIECE // BLOCK
RIGHT, LIE = torrent_for(DATA), torrent_for(WRONG)
SHORTER = torrent_for(DATA[:-1])
SLOW = 40 * BLOCK  # bytes a second: it takes several looks
ALL = Pace(ranges=2, pauses=(0.01,) * 3, mix="always")
SOON = replace(ALL, mix="auto")


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Village]:
    with village(tmp_path) as made:
        yield made


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "home", DATA, RIGHT)


def hashes_of(data: bytes) -> Hashes:
    return Hashes(hashlib.sha256(data).hexdigest(), "", piece_hashes(data), len(data))


def blocks_of(*pieces: int) -> tuple[int, ...]:
    return tuple(block for piece in pieces for block in range(piece * EACH, min(49, (piece + 1) * EACH)))


def note_of(case: Case) -> dict[str, object]:
    return read_note(case.folder) or {}


def count_here(here: object) -> int:
    assert isinstance(here, list)
    return sum(end - first for first, end in here)


def here_and_right(case: Case) -> int:
    """How many blocks a clean note says are here; every one of them has the right bytes."""
    note, data = note_of(case), (case.folder / "data").read_bytes()
    assert note["in_engine"] is False
    spans = note["here"]
    assert isinstance(spans, list)
    for first, end in spans:
        assert data[first * BLOCK : end * BLOCK] == case.data[first * BLOCK : end * BLOCK]
    return count_here(spans)


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


def when_any(act: Callable[[], object]) -> Callable[[Standing], None]:
    """Act at a look at which a piece is here."""

    def step(standing: Standing) -> None:
        if any(standing.have):
            act()

    return step


def test_what_neighbours_began_goes_on_with_the_hub_and_nothing_comes_twice(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW, up=0)
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
    around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW, up=0)
    first = RealSwarm(around, step=when_any(case.stop.set))
    with case.partial() as partial, pytest.raises(TransferEndedError):
        case.fetched(partial, first)
    came = here_and_right(case)
    around.here.limit(down=0, up=0)
    case.stop.clear()

    second = RealSwarm(around)
    with case.partial() as partial:
        check_again(partial)
        assert case.fetched(partial, second) == hashes_of(DATA)
    assert sum(second.begun[0]) == came // EACH


# A process that dies


def test_what_a_killed_process_leaves_is_checked_and_goes_on(tmp_path: Path, case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW, up=0)
    dead = Case(tmp_path / "dead", DATA, RIGHT)

    def die() -> None:
        shutil.copytree(case.folder, dead.folder)
        case.stop.set()

    with case.partial() as partial, pytest.raises(TransferEndedError):
        case.fetched(partial, RealSwarm(around, step=when_any(die)))
    assert note_of(dead)["in_engine"] is True

    around.here.limit(down=0, up=0)
    with dead.partial() as partial:
        check_again(partial)
        assert dead.fetched(partial, RealSwarm(around)) == hashes_of(DATA)


def killed(case: Case, pieces: dict[int, bytes], torrent: bytes | None) -> None:
    """The note claims that all is here; these pieces were really written, or the first bytes of them."""
    with case.partial() as partial:
        for piece, data in pieces.items():
            partial.write(memoryview(data), piece * PIECE)
        partial.came(SourceKind.LAN, 0, len(case.data), len(case.data))
        partial.in_engine = True
        partial.note()
    if torrent is not None:
        (case.folder / TORRENT).write_bytes(torrent)


def believed(case: Case) -> list[list[int]]:
    with case.partial() as partial:
        assert partial.in_engine
        check_again(partial)
        assert not partial.in_engine
        return partial.blocks.spans()


def piece_of(data: bytes, piece: int) -> bytes:
    return data[piece * PIECE : (piece + 1) * PIECE]


def test_after_a_kill_only_pieces_that_fit_are_believed(case: Case) -> None:
    killed(case, {0: piece_of(DATA, 0), 1: piece_of(DATA, 0), 2: piece_of(WRONG, 2), 3: piece_of(DATA, 3)}, RIGHT)

    assert believed(case) == [[0, 16], [48, 49]]


def test_after_a_kill_what_was_never_written_is_not_even_read(tmp_path: Path) -> None:
    """A hole reads as zeros, which would fit here: it is not believed, so it was not read."""
    data = bytes(3 * PIECE) + DATA[:BLOCK]
    case = Case(tmp_path / "home", data, torrent_for(data))
    killed(case, {1: b"\0", 3: DATA[:BLOCK]}, case.torrent)

    assert believed(case) == [[16, 32], [48, 49]]


@pytest.mark.parametrize("torrent", [None, b"", b"d4:infode", LIE, SHORTER], ids=lambda one: str(one)[:12])
def test_after_a_kill_nothing_is_believed_without_the_torrent(case: Case, torrent: bytes | None) -> None:
    killed(case, {0: piece_of(DATA, 0)}, torrent)

    assert believed(case) == []


def test_after_a_clean_end_nothing_is_checked(case: Case) -> None:
    with case.partial() as partial:
        partial.blocks.mark(0, SIZE)
        check_again(partial)
        assert partial.blocks.spans() == [[0, 49]]


@pytest.mark.parametrize(("size", "spans"), [(CHECKED_WHOLE, [[3, 5]]), (CHECKED_WHOLE - 1, [])])
def test_what_is_too_large_to_be_read_again_is_believed(tmp_path: Path, size: int, spans: list[list[int]]) -> None:
    """Both are sparse: nothing of them takes space."""
    partial = Partial.held(tmp_path / "models--o--r/.thorp/partial/x", size)
    assert partial is not None
    partial.open()
    partial.blocks.mark(3 * BLOCK, 5 * BLOCK)
    partial.in_engine = True
    check_again(partial)

    assert (partial.blocks.spans(), partial.in_engine) == (spans, False)
    partial.release()


def test_written_is_what_any_byte_of_was_written(case: Case) -> None:
    with case.partial() as partial:
        partial.write(memoryview(b"x"), 2 * PIECE + 77)

        found = [is_written(partial.handle, at * PIECE, (at + 1) * PIECE) for at in range(PIECES)]
    assert found == [False, False, True, False]


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
    around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW // 2, up=0)
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


def asked_after(case: Case, looks: Sequence[Standing], mix: str) -> tuple[float, Hashes | None, float]:
    """When the first helper was asked, what came of it, and how long it took, in seconds of ticks."""
    moments: list[float] = []
    download = ScriptedDownload(list(looks), bytes(PIECES))
    refusing = [Mishap(NetworkError("nobody answers"))] * 100
    hub = FakeSource(DATA, mishaps=refusing, opening=lambda _first: moments.append(download.waited))
    with case.partial() as partial:
        found = case.fetched(partial, ScriptedSwarm(download), hub, pace=replace(ALL, mix=mix))
    assert download.closed == 1
    assert download.peers[0] == (("127.0.0.9", 1),)
    return min(moments, default=-1.0), found, download.waited


def test_auto_means_that_others_are_asked_after_quiet_and_not_before(case: Case) -> None:
    busy = [100 * number for number in range(60)]
    asked, found, ended = asked_after(case, moving(*busy), "auto")

    assert asked >= 59 * TICK + WITHOUT_PROGRESS - 1e-6, "sixty looks at which something came, and then the quiet"
    assert (found, ended >= asked) == (None, True), "nobody is left who could bring it"


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


def test_progress_counts_from_anything_that_moves() -> None:
    clockwork = Clockwork()
    assert [clockwork.tick(done, 2.0) for done in (0, 0, 0, 1, 1)] == [0.0, 2.0, 4.0, 0.0, 2.0]


def test_it_says_when_it_waits(case: Case) -> None:
    busy = PeerStanding("127.0.0.9", 1, 5, 0, 1.0)
    looks = [standing_of([0] * PIECES), standing_of([0] * PIECES, done=7, peers=(busy,)), standing_of([1] * PIECES)]
    said: list[tuple[str, int]] = []
    with case.partial() as partial:
        fetch = case.fetch(partial, ScriptedSwarm(ScriptedDownload(looks, bytes([1]) * PIECES)))
        fetch.run(lambda: said.append((fetch.waits_for, fetch.done)))
    assert said == [("waits for neighbours", 0), ("", 7), ("waits for neighbours", SIZE)]


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


# Lies and faults


def test_E62_a_torrent_that_does_not_fit_what_the_hub_sends_is_doubted(case: Case, around: Village) -> None:
    case.torrent = LIE
    swarm = RealSwarm(around, hidden=True)
    with case.partial() as partial, pytest.raises(DoubtedTorrentError, match=r"does not fit what fake\.example sent"):
        case.fetched(partial, swarm, FakeSource(DATA), pace=ALL)
    assert swarm.doubted == [case.read.infohash]
    assert note_of(case)["in_engine"] is False


def test_E62_neighbours_that_agree_on_wrong_bytes_are_found_out_by_the_hash(case: Case, around: Village) -> None:
    case.torrent = LIE
    around.neighbour(WRONG, LIE)
    with case.partial() as partial:
        assert case.fetched(partial, RealSwarm(around)) == hashes_of(WRONG)


def test_an_engine_that_cannot_begin_leaves_a_note_that_is_clean(case: Case) -> None:
    with case.partial((0, 1, 2)) as partial, pytest.raises(EngineGoneError):
        case.fetched(partial, ScriptedSwarm(EngineGoneError("gone")))
    assert here_and_right(case) == 3, "blocks"


def test_an_engine_that_stands_still_says_why(case: Case) -> None:
    download = ScriptedDownload([standing_of([0] * PIECES, error="the disk is full")], bytes(PIECES))
    with case.partial() as partial, pytest.raises(IntegrityError, match="the disk is full"):
        case.fetched(partial, ScriptedSwarm(download))
    assert download.closed == 1


def claiming(final: bytes | Exception) -> ScriptedDownload:
    """An engine that says it has pieces of which it wrote nothing, and then fails."""
    has = [1, 1] + [0] * (PIECES - 2)
    return ScriptedDownload([standing_of(has), standing_of(has, error="broken")], final)


@pytest.mark.parametrize("final", [SlowDiskError("the disk does not write"), bytes(PIECES), b""], ids=str)
def test_what_an_engine_does_not_vouch_for_in_the_end_is_checked_again(case: Case, final: bytes | Exception) -> None:
    with case.partial() as partial:
        with pytest.raises(ThorpError):
            case.fetched(partial, ScriptedSwarm(claiming(final)))
        assert note_of(case)["in_engine"] is True
        check_again(partial)
        assert partial.blocks.spans() == []


def test_a_hash_that_read_too_early_is_taken_again(case: Case) -> None:
    """An engine has a piece in memory before it lies on the disk: here all of them, until it is told to end."""

    class Late(ScriptedDownload):
        def close(self) -> bytes:
            (case.folder / "data").write_bytes(DATA)
            return bytes([1]) * PIECES

    with case.partial() as partial:
        assert case.fetched(partial, ScriptedSwarm(Late([standing_of([1] * PIECES)]))) == hashes_of(DATA)


def test_who_hashes_ends_with_what_is_here(case: Case) -> None:
    with case.partial((0, 1, 2, 3)) as partial:
        frontier = Frontier(case.wanted, partial, own_pieces=True)
        frontier.reach(3 * BLOCK, ends=True)
        frontier.run()
        assert frontier.hashes(b"").sha256 == hashlib.sha256(DATA[: 3 * BLOCK]).hexdigest()


# Which torrent


def test_the_first_torrent_that_fits_is_taken(case: Case) -> None:
    leaves = Leaves()
    leaves.update(memoryview(DATA))
    public = public_torrent("m.gguf", SIZE, piece_hashes(DATA), leaves.digest(), card=CARD).content
    swarm = ScriptedSwarm(claiming(b""), (b"", b"d4:infode", public, SHORTER, RIGHT, b"x"))

    found = torrent_of(swarm, case.wanted)
    assert found == case.read
    assert torrent_of(ScriptedSwarm(claiming(b""), (public,)), case.wanted) is None


# A whole file on its way


def brought(case: Case, swarm: Swarm, *sources: FakeSource, pace: Pace = PACE) -> tuple[bytes, Bringing]:
    """As a pull does it: swarm first, then ranges."""
    work = Bringing(
        library=a_library(case.top),
        sources=sources,
        pace=pace,
        stop=case.stop,
        told=lambda: None,
        reached=unwatched,
        swarm=swarm,
    )
    wanted = wanted_of(DATA)
    found = bring(wanted, work)
    assert found.pieces == piece_hashes(DATA)
    blob = work.library.layout.blob(wanted.repo, bytes.fromhex(found.sha256))
    return blob.read_bytes(), work


def near(data: bytes = DATA) -> FakeSource:
    """A neighbour as a source of ranges; without one there is nobody to have a swarm with."""
    return FakeSource(data, SourceKind.LAN, "mia")


def test_a_file_comes_by_the_swarm_alone(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    mia, hub = near(), FakeSource(DATA)
    data, work = brought(case, RealSwarm(around, (RIGHT,)), mia, hub)

    assert data == DATA
    assert (work.by_source, mia.asked, hub.asked) == ({"lan": SIZE}, [], [])


def test_without_neighbours_among_the_sources_the_swarm_is_not_asked(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    swarm = RealSwarm(around, (RIGHT,))

    assert brought(case, swarm, FakeSource(DATA))[0] == DATA
    assert swarm.begun == []


@pytest.mark.parametrize("torrents", [(), (b"nonsense", SHORTER)], ids=["none", "useless"])
def test_without_a_torrent_ranges_bring_it(case: Case, torrents: tuple[bytes, ...]) -> None:
    mia = near()
    assert brought(case, ScriptedSwarm(AssertionError("there is nothing to fetch by"), torrents), mia)[0] == DATA
    assert mia.bytes_given == SIZE


def test_the_engine_gone_in_the_middle_others_go_on(case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW, up=0)
    swarm = RealSwarm(around, (RIGHT,), step=when_any(around.here.stop))
    hub = FakeSource(DATA)
    data, work = brought(case, swarm, hub, near())

    assert data == DATA
    assert 0 < hub.bytes_given < SIZE
    assert work.by_source["lan"] > 0
    assert sum(work.by_source.values()) == SIZE


def test_neighbours_gone_in_the_middle_others_go_on(case: Case, around: Village) -> None:
    mia = around.neighbour(DATA, RIGHT)
    around.here.limit(down=SLOW, up=0)
    swarm = RealSwarm(around, (RIGHT,))

    def leave() -> None:
        mia.stop()
        swarm.hurry = True  # from here on nothing comes

    swarm.step = when_any(leave)
    hub = FakeSource(DATA)
    data, work = brought(case, swarm, near(), hub, pace=SOON)

    assert data == DATA
    assert {name for name, count in work.by_source.items() if count} == {"hub", "lan"}


def test_E62_a_lying_torrent_is_left_and_the_right_bytes_come_elsewhere(case: Case, around: Village) -> None:
    around.neighbour(WRONG, LIE)
    swarm = RealSwarm(around, (LIE,))
    data, work = brought(case, swarm, FakeSource(DATA), near(WRONG))

    assert data == DATA
    assert len(swarm.doubted) == len(swarm.begun) == 1
    assert work.by_source == {"hub": SIZE}


def test_E62_a_torrent_that_the_hub_gives_the_lie_is_left_at_once(case: Case, around: Village) -> None:
    swarm = RealSwarm(around, (LIE,), hidden=True)
    data, work = brought(case, swarm, FakeSource(DATA), near(), pace=ALL)

    assert data == DATA
    assert len(swarm.doubted) == len(swarm.begun) == 1
    assert sum(work.by_source.values()) == SIZE


def test_E62_after_a_lying_torrent_another_one_is_tried(case: Case, around: Village) -> None:
    around.neighbour(WRONG, LIE)
    around.neighbour(DATA, RIGHT)
    swarm = RealSwarm(around, (LIE, RIGHT))
    data, work = brought(case, swarm, near(b""), near(b""), FakeSource(b"nobody asks"))

    assert (data, len(swarm.begun)) == (DATA, 2)
    assert work.by_source == {"lan": SIZE}


def test_an_engine_that_cannot_begin_leaves_nothing_behind_for_ranges(case: Case) -> None:
    notes: list[object] = []
    folder = case.top / "hub/models--org--repo/.thorp/partial" / hashlib.sha256(DATA).hexdigest()
    hub = FakeSource(DATA, opening=lambda _first: notes.append((read_note(folder) or {}).get("in_engine")))

    assert brought(case, ScriptedSwarm(EngineGoneError("gone"), (RIGHT,)), hub, near())[0] == DATA
    assert set(notes) == {False}


@pytest.mark.parametrize("final", [SlowDiskError("the disk does not write"), bytes(PIECES)], ids=str)
def test_what_an_engine_only_said_it_had_is_fetched_at_the_first_try(case: Case, final: bytes | Exception) -> None:
    hub = FakeSource(DATA)
    data, work = brought(case, ScriptedSwarm(claiming(final), (RIGHT,)), hub, near(), pace=PACE)

    assert (data, hub.bytes_given) == (DATA, SIZE), "once, and not again after wrong bytes"
    assert not list(work.library.layout.hub.rglob("quarantine/*/data"))


def test_a_stop_is_the_end_and_not_a_reason_to_ask_others(case: Case) -> None:
    hub = FakeSource(DATA)
    download = ScriptedDownload([standing_of([0] * PIECES)], bytes(PIECES))

    class Stopping(ScriptedSwarm):
        def peers(self) -> tuple[tuple[str, int], ...]:
            case.stop.set()
            return ()

    with pytest.raises(TransferEndedError):
        brought(case, Stopping(download, (RIGHT,)), hub, near())
    assert (hub.asked, download.closed) == ([], 1)
