"""Killed at any named step and started again, a pull ends in one legal state: whole, once, and with nothing left."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.pulling import FILE, MIB, REPO, Home, a_home, a_model, pull_once
from thorp.models.fetching import Pace
from thorp.models.layout import digest_of
from thorp.models.partial import bytes_noted
from thorp.models.records import RecordBook, State
from thorp.models.stages import Stage
from thorp.models.stores import Stores
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.library import a_layout

SIZE = 17 * MIB
NOBODY_REACHES: frozenset[Stage] = frozenset({Stage.DONE})
WITHOUT_BYTES = frozenset(
    {Stage.PLANNED, Stage.RECORDED, Stage.STORE_OPEN, Stage.ROOM_CHECKED, Stage.LOCKED, Stage.FIRST_BYTES}
)
KILLED = tuple(one for one in Stage if one not in NOBODY_REACHES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("made"), SIZE)


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    with FakeHub() as one:
        one.add(REPO, {FILE: model})
        yield one


@pytest.fixture(scope="module")
def graves(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[dict[Stage, tuple[Path, FakeHub, int]]]:
    """A home for each stage in which a pull was killed there, and how many bytes it had fetched."""
    made = {stage: tmp_path_factory.mktemp(stage.name.lower()) for stage in KILLED}
    hub = FakeHub()
    hub.add(REPO, {FILE: model})
    found: dict[Stage, tuple[Path, FakeHub, int]] = {}
    with hub:
        for stage, top in made.items():
            hub.forget()
            died(hub.url, "pull", str(top), stage.value)
            found[stage] = (top, hub, hub.bytes_sent(FILE))
        yield found


def died(url: str, *arguments: str) -> None:
    with pull_once(url, *arguments) as running:
        said, complaints = running.communicate(timeout=60)
    assert set(said.split("\n")) == {"killed", ""}, said + complaints


def check_legal(home: Home, model: Path) -> None:
    """Everything is there once, and nothing else is."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    receipts = home.library.receipts()
    assert [one.files[0].sha256 for one in receipts] == [digest]
    assert home.library.rescan().receipts == receipts
    assert home.library.unreadable() == ()
    assert home.library.state(receipts[0]).complete
    assert (home.blobs(), home.own(), home.drafts()) == ([digest], [], [])
    assert home.seen_by_hf().read_bytes() == model.read_bytes()
    assert home.library.pieces(receipts[0], digest) is not None
    torrents = [one.name for one in home.library.layout.torrents.iterdir()]
    assert torrents == [f"{receipts[0].files[0].infohash}.torrent"]


@pytest.mark.parametrize("stage", KILLED)
def test_C35_killed_at_a_stage_it_is_completed_by_the_next_start(
    graves: dict[Stage, tuple[Path, FakeHub, int]], model: Path, stage: Stage
) -> None:
    top, hub, before = graves[stage]
    hub.forget()
    reached: list[Stage] = []
    with a_home(top, hub.url, reached=reached.append) as home:
        plan = home.meaning(REPO).plan()
        if plan is None:
            assert stage is Stage.RECEIPT_WRITTEN, "only then it is in the library"
            check_legal(home, model)
            plan = home.plan(REPO, source="hub")
        record = home.transfer(plan)

        assert record.state is State.DONE
        check_legal(home, model)
        records = RecordBook(home.library.layout.transfers).every()
        assert {one.state for one in records} == {State.DONE}
        assert len(records) == 1 or stage is Stage.RECEIPT_WRITTEN, "what had all of it is over; a new one began"
        assert (before, hub.bytes_sent(FILE)) == (0, SIZE) if stage in WITHOUT_BYTES - {Stage.FIRST_BYTES} else True
        assert hub.bytes_sent(FILE) == 0 if stage not in WITHOUT_BYTES else True
        assert Stores(home.library.layout.stores).away(home.library.layout.hub) == ""


def test_C35_every_stage_is_reached_by_an_ordinary_pull(tmp_path: Path, hub: FakeHub) -> None:
    reached: list[Stage] = []
    with a_home(tmp_path, hub.url, reached=reached.append) as home:
        home.transfer()

    assert set(Stage) - set(reached) <= NOBODY_REACHES
    assert len(reached) == len(set(reached))


def test_C35_killed_while_it_fetches_only_the_last_moments_are_fetched_again(
    tmp_path: Path, hub: FakeHub, model: Path
) -> None:
    """Deaths over a slow line; each may cost one second of it."""
    rate, ranges = 3 * MIB // 2, 3
    hub.faults.add(Fault(FaultKind.SLOW, rate=rate, times=None))
    for enough in (9 * MIB, 4 * MIB):
        before = noted(tmp_path, model)
        hub.forget()
        with pull_once(hub.url, "slowly", str(tmp_path)) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
            until(hub, enough)
            child.kill()
        lost = before + hub.bytes_sent(FILE) - noted(tmp_path, model)
        assert 0 <= lost <= rate * ranges
    hub.faults.clear()
    hub.forget()
    here = noted(tmp_path, model)
    with a_home(tmp_path, hub.url) as home:
        home.pull(pace=Pace())

        assert here > MIB
        assert hub.bytes_sent(FILE) == SIZE - here
        check_legal(home, model)


def noted(top: Path, model: Path) -> int:
    digest = digest_of(hashlib.sha256(model.read_bytes()).hexdigest())
    return bytes_noted(a_layout(top).partial(REPO, digest), SIZE)


def until(hub: FakeHub, enough: int) -> None:
    """Wait for so many bytes, however long that takes."""
    tick = threading.Event()
    while hub.bytes_sent(FILE) < enough:
        tick.wait(0.01)
