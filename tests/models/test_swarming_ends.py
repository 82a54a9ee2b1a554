"""However a transfer by the swarm ends, what is noted is true: a stop, a kill, a fault, a lie."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.swarms import (
    ALL,
    DATA,
    LIE,
    PIECES,
    RIGHT,
    SHORTER,
    SIZE,
    WRONG,
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
    village,
    when_any,
)
from thorp.base.errors import IntegrityError, ThorpError
from thorp.models.fetching import TransferEndedError
from thorp.models.household_swarm import EngineGoneError
from thorp.models.partial import BLOCK, TORRENT, Partial
from thorp.models.swarming import (
    CHECKED_WHOLE,
    DoubtedTorrentError,
    Frontier,
    check_again,
    is_written,
)
from thorp.models.types import SourceKind
from thorp.swarm.download import SlowDiskError, Standing
from thorp.swarm.recipes import PIECE
from thorp.testing.sources import FakeSource


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Village]:
    with village(tmp_path) as made:
        yield made


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "home", DATA, RIGHT)


# A process that dies


def test_what_a_killed_process_leaves_is_checked_and_goes_on(tmp_path: Path, case: Case, around: Village) -> None:
    around.neighbour(DATA, RIGHT, (0, 2))
    dead = Case(tmp_path / "dead", DATA, RIGHT)

    def die() -> None:
        shutil.copytree(case.folder, dead.folder)
        case.stop.set()

    with case.partial() as partial, pytest.raises(TransferEndedError):
        case.fetched(partial, RealSwarm(around, step=when_any(die)))
    assert note_of(dead)["in_engine"] is True

    around.neighbour(DATA, RIGHT)
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


def test_E62_what_peers_wrote_over_and_nobody_judged_is_not_believed(case: Case, around: Village) -> None:
    """Nor after a power cut: bytes of the hub, brought to the disk, in a piece that a liar was at."""
    around.neighbour(WRONG, RIGHT)

    def step(standing: Standing) -> None:
        if standing.banned:
            case.stop.set()

    with case.partial((*blocks_of(3), *range(6))) as partial:
        partial.sync()
        with pytest.raises(TransferEndedError):
            case.fetched(partial, RealSwarm(around, step=step))
    assert here_and_right(case) == len(blocks_of(3))
    assert note_of(case)["safe"] == note_of(case)["here"]


def test_what_nobody_wrote_over_stays(case: Case, around: Village) -> None:
    swarm = RealSwarm(around, hidden=True, hurry=True)
    with case.partial((0, 1, 2)) as partial:
        assert case.fetched(partial, swarm) is None
    assert here_and_right(case) == 3
