"""After a kill only what is proven is believed."""

import shutil
from pathlib import Path
from threading import Event

import pytest

from tests.models.swarms import (
    DATA,
    LIE,
    PIECES,
    RIGHT,
    SHORTER,
    SIZE,
    WRONG,
    Case,
    RealSwarm,
    Village,
    hashes_of,
    note_of,
    torrent_for,
    when_any,
)
from thorp.models.after_kill import CHECKED_WHOLE, check_again, is_written
from thorp.models.fetching import TransferEndedError
from thorp.models.partial import BLOCK, TORRENT, Partial
from thorp.models.types import SourceKind
from thorp.swarm.recipes import PIECE


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
        check_again(partial, dead.stop)
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
        check_again(partial, case.stop)
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


def test_who_stops_the_check_finds_everything_as_it_was(case: Case) -> None:
    killed(case, {0: piece_of(DATA, 0)}, RIGHT)
    case.stop.set()
    with case.partial() as partial, pytest.raises(TransferEndedError):
        check_again(partial, case.stop)
    assert note_of(case)["in_engine"] is True
    case.stop.clear()

    assert believed(case) == [[0, 16]]


def test_after_a_clean_end_nothing_is_checked(case: Case) -> None:
    with case.partial() as partial:
        partial.blocks.mark(0, SIZE)
        check_again(partial, case.stop)
        assert partial.blocks.spans() == [[0, 49]]


@pytest.mark.parametrize(("size", "spans"), [(CHECKED_WHOLE, [[16, 32]]), (CHECKED_WHOLE - 1, [])])
def test_of_what_is_too_large_to_be_read_again_whole_pieces_are_believed(
    tmp_path: Path, size: int, spans: list[list[int]]
) -> None:
    """Both are sparse: nothing of them takes space. Peers may have written over what lies in other pieces."""
    partial = Partial.held(tmp_path / "models--o--r/.thorp/partial/x", size)
    assert partial is not None
    partial.open()
    partial.blocks.mark(3 * BLOCK, 5 * BLOCK)
    partial.blocks.mark(PIECE, 2 * PIECE + 7 * BLOCK)
    partial.in_engine = True
    check_again(partial, Event())

    assert (partial.blocks.spans(), partial.in_engine) == (spans, False)
    partial.release()


def test_what_was_checked_is_noted_before_anything_else_happens(case: Case) -> None:
    killed(case, {0: piece_of(DATA, 0)}, RIGHT)
    with case.partial() as partial:
        check_again(partial, case.stop)
    (case.folder / TORRENT).unlink()

    assert (note_of(case)["in_engine"], note_of(case)["here"]) == (False, [[0, 16]])


def test_written_is_what_any_byte_of_was_written(case: Case) -> None:
    with case.partial() as partial:
        partial.write(memoryview(b"x"), 2 * PIECE + 77)

        found = [is_written(partial.handle, at * PIECE, (at + 1) * PIECE) for at in range(PIECES)]
    assert found == [False, False, True, False]
