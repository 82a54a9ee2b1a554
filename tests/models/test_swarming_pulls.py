"""A pull that begins with the swarm ends with the right bytes, whatever becomes of the swarm."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.models.swarms import (
    ALL,
    DATA,
    LIE,
    PACE,
    PIECES,
    RIGHT,
    SHORTER,
    SIZE,
    SOON,
    WRONG,
    Case,
    RealSwarm,
    ScriptedDownload,
    ScriptedSwarm,
    Village,
    claiming,
    standing_of,
    when_any,
)
from thorp.base.errors import BusyError, DeadlineError, NetworkError, ThorpError
from thorp.models.fetching import Pace, TransferEndedError
from thorp.models.files_in import Bringing, bring
from thorp.models.household_swarm import EngineGoneError
from thorp.models.partial import read_note
from thorp.models.stages import unwatched
from thorp.models.swarming import (
    Swarm,
)
from thorp.models.types import SourceKind, Wanted
from thorp.swarm.download import SlowDiskError
from thorp.testing.library import a_library, piece_hashes
from thorp.testing.sources import FakeSource, wanted_of

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
    around.neighbour(DATA, RIGHT, (0, 1))
    swarm = RealSwarm(around, (RIGHT,), step=when_any(around.here.stop))
    hub = FakeSource(DATA)
    data, work = brought(case, swarm, hub, near())

    assert data == DATA
    assert 0 < hub.bytes_given < SIZE
    assert work.by_source["lan"] > 0
    assert sum(work.by_source.values()) == SIZE


def test_neighbours_gone_in_the_middle_others_go_on(case: Case, around: Village) -> None:
    mia = around.neighbour(DATA, RIGHT, (0, 1))
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


@pytest.mark.parametrize("trouble", [BusyError("full"), DeadlineError("late"), NetworkError("gone")])
def test_trouble_in_asking_for_a_torrent_keeps_the_hub_from_nothing(case: Case, trouble: ThorpError) -> None:
    class Troubled(ScriptedSwarm):
        def torrents_for(self, wanted: Wanted) -> Iterator[bytes]:
            raise trouble

    data, work = brought(case, Troubled(trouble), near(WRONG), FakeSource(DATA))

    assert data == DATA
    assert "hub" in work.by_source
