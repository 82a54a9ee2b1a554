"""However a transfer by the swarm ends, what is noted is true: a stop, a kill, a fault, a lie."""

import pytest

from tests.models.swarms import (
    ALL,
    DATA,
    LIE,
    PIECES,
    RIGHT,
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
)
from thorp.base.errors import IntegrityError, ThorpError
from thorp.models.after_kill import check_again
from thorp.models.fetching import SYNC_EVERY, TransferEndedError
from thorp.models.household_swarm import EngineGoneError
from thorp.models.partial import TORRENT
from thorp.models.swarming import DoubtedTorrentError
from thorp.swarm.download import SlowDiskError, Standing
from thorp.testing.sources import FakeSource

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
        check_again(partial, case.stop)
        assert partial.blocks.spans() == []


def test_a_hash_that_read_too_early_is_taken_again(case: Case) -> None:
    """An engine has a piece in memory before it lies on the disk: here all of them, until it is told to end."""

    class Late(ScriptedDownload):
        def close(self) -> bytes:
            (case.folder / "data").write_bytes(DATA)
            return bytes([1]) * PIECES

    with case.partial() as partial:
        assert case.fetched(partial, ScriptedSwarm(Late([standing_of([1] * PIECES)]))) == hashes_of(DATA)


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


def test_a_disk_that_fails_while_bytes_come_is_told_also_when_they_are_all_here(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError("the disk is gone")

    looks = [standing_of([0] * PIECES)] * (SYNC_EVERY + 1) + [standing_of([1] * PIECES)]
    with case.partial() as partial:
        partial.write(memoryview(DATA), 0)
        monkeypatch.setattr(partial, "sync", full)
        with pytest.raises(OSError, match="the disk is gone"):
            case.fetched(partial, ScriptedSwarm(ScriptedDownload(looks, bytes([1]) * PIECES)))


def test_the_torrent_beside_a_partial_is_written_whole_or_not_at_all(case: Case) -> None:
    """A kill while it is replaced leaves the one of before: what is there can be checked."""
    with case.partial() as partial, pytest.raises(EngineGoneError):
        case.fetched(partial, ScriptedSwarm(EngineGoneError("gone")))
    before = (case.folder / TORRENT).stat().st_ino
    held = (case.folder / TORRENT).open("rb")
    with held, case.partial() as partial, pytest.raises(EngineGoneError):
        case.fetched(partial, ScriptedSwarm(EngineGoneError("gone")))

    assert (case.folder / TORRENT).stat().st_ino != before
    assert (case.folder / TORRENT).read_bytes() == RIGHT
