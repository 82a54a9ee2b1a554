"""What is wrong is fetched again, and nothing else; what belongs to somebody else is not touched."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.pulling import FILE, MIB, QUICK, REPO, Home, a_home, a_model, pull_once
from thorp.base.errors import NetworkError
from thorp.models.fetching import TransferEndedError
from thorp.models.receipts import Receipt
from thorp.models.repair import NoSourceLeftError, Repairer, good_spans
from thorp.models.stages import Stage
from thorp.models.types import SourceKind
from thorp.models.verify import FileVerdict, verify
from thorp.swarm.recipes import PIECE
from thorp.testing.clock import FakeClock
from thorp.testing.gguf import random_bytes
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, an_artifact
from thorp.testing.safetensors import tiny_config, tiny_safetensors

LAST = 5 * MIB
SIZE = PIECE + LAST
SAFE = "org/Tiny-1B"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("made"), SIZE)


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    with FakeHub() as one:
        one.add(REPO, {FILE: model})
        yield one


@pytest.fixture
def home(tmp_path: Path, hub: FakeHub) -> Iterator[Home]:
    with a_home(tmp_path, hub.url) as one:
        yield one


def harmed(home: Home, hub: FakeHub, at: int, data: bytes) -> tuple[Receipt, Path]:
    receipt = home.pull()
    blob = home.blob(receipt.files[0].sha256)
    with blob.open("r+b") as file:
        file.seek(at)
        file.write(data)
    hub.forget()
    return receipt, blob


def verdicts(home: Home, receipt: Receipt) -> list[FileVerdict]:
    found = verify(home.library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
    return [one for one in found if not one.ok]


def test_C42_a_flipped_bit_costs_one_piece(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, PIECE + 5, b"!")

    repaired = home.repair(receipt)

    assert [(one.ok, one.bad_pieces) for one in repaired.verdicts] == [(False, (1,))]
    assert repaired.fetched == hub.bytes_sent(FILE) == LAST
    assert hub.fetched(FILE) == [(PIECE, SIZE)]
    assert blob.read_bytes() == model.read_bytes()
    assert home.library.receipts()[0].verified_at >= receipt.verified_at
    assert (verdicts(home, receipt), home.own(), home.drafts()) == ([], [], [])


def test_C42_every_bad_piece_is_fetched(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, 7, b"!")
    with blob.open("r+b") as file:
        file.seek(SIZE - 1)
        file.write(b"\0" if model.read_bytes()[-1] else b"\1")

    assert home.repair(receipt).fetched == hub.bytes_sent(FILE) == SIZE
    assert blob.read_bytes() == model.read_bytes()


def test_C36_a_file_of_zeros_is_fetched_by_piece(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, PIECE, bytes(SIZE - PIECE))

    repaired = home.repair(receipt)

    assert "power cut" in repaired.verdicts[0].problem
    assert repaired.fetched == hub.bytes_sent(FILE) == SIZE - PIECE
    assert blob.read_bytes() == model.read_bytes()


@pytest.mark.parametrize("length", [0, 1, PIECE + 5, SIZE - 1])
def test_C42_a_truncated_file_is_completed(home: Home, hub: FakeHub, model: Path, length: int) -> None:
    receipt, blob = harmed(home, hub, 0, b"")
    os.truncate(blob, length)

    assert home.repair(receipt).fetched == hub.bytes_sent(FILE) == SIZE - length // PIECE * PIECE
    assert blob.read_bytes() == model.read_bytes()


def test_C42_a_file_that_grew_is_cut_without_being_fetched_whole(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, SIZE, b"more than there should be")

    home.repair(receipt)

    assert blob.read_bytes() == model.read_bytes()
    assert verdicts(home, receipt) == []


def test_a_missing_file_is_fetched(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, 0, b"")
    blob.unlink()

    assert home.repair(receipt).fetched == SIZE
    assert home.seen_by_hf().read_bytes() == model.read_bytes()


def test_a_missing_name_is_made_again_without_a_byte(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, _ = harmed(home, hub, 0, b"")
    entry = home.library.layout.file(REPO, receipt.revision, FILE)
    entry.unlink()

    repaired = home.repair(receipt)

    assert not repaired.verdicts[0].ok
    assert (repaired.fetched, hub.bytes_sent(FILE)) == (0, 0)
    assert home.seen_by_hf().read_bytes() == model.read_bytes()
    assert verdicts(home, receipt) == []


def test_C43_a_name_that_leads_elsewhere_is_made_right(home: Home, hub: FakeHub, model: Path, tmp_path: Path) -> None:
    receipt, _ = harmed(home, hub, 0, b"")
    entry = home.library.layout.file(REPO, receipt.revision, FILE)
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    entry.unlink()
    entry.symlink_to(precious)

    home.repair(receipt)

    assert precious.read_bytes() == b"precious"
    assert home.seen_by_hf().read_bytes() == model.read_bytes()
    assert verdicts(home, receipt) == []


def test_what_is_well_is_left_alone(home: Home, hub: FakeHub) -> None:
    receipt, blob = harmed(home, hub, 0, b"")
    before = blob.stat().st_mtime_ns
    hub.stop()

    repaired = home.repair(receipt)

    assert (repaired.fetched, blob.stat().st_mtime_ns) == (0, before)
    assert all(one.ok for one in repaired.verdicts)


def test_a_hard_link_of_somebody_else_keeps_its_bytes(home: Home, hub: FakeHub, model: Path, tmp_path: Path) -> None:
    receipt, blob = harmed(home, hub, PIECE, b"!")
    theirs = tmp_path / "theirs.gguf"
    os.link(blob, theirs)
    damaged = theirs.read_bytes()

    assert home.repair(receipt).fetched == LAST
    assert theirs.read_bytes() == damaged
    assert blob.read_bytes() == model.read_bytes()


@pytest.mark.parametrize("links", [NO_SYMLINKS, NO_LINKS])
def test_C38_it_works_where_the_disk_knows_no_links(tmp_path: Path, hub: FakeHub, model: Path, links) -> None:
    with a_home(tmp_path, hub.url, links=links) as home:
        receipt = home.pull()
        with home.seen_by_hf().open("r+b") as file:
            file.write(b"damage")
        hub.forget()

        assert home.repair(receipt).fetched == PIECE
        assert home.seen_by_hf().read_bytes() == model.read_bytes()
        assert verdicts(home, receipt) == []


@pytest.mark.parametrize("harm", ["changed", "gone", "its name is gone", "both are gone"])
def test_a_small_file_that_git_keeps_is_repaired_too(home: Home, hub: FakeHub, tmp_path: Path, harm: str) -> None:
    made = tmp_path
    weights, config = tiny_safetensors(made / "model.safetensors")[0], tiny_config(made / "config.json")
    hub.add(SAFE, {weights.name: weights, config.name: config})
    receipt = home.pull(home.plan(SAFE))
    entry = home.library.layout.file(SAFE, receipt.revision, "config.json")
    blob = entry.resolve()
    if harm == "changed":
        blob.write_bytes(b"{" + b" " * (config.stat().st_size - 2) + b"}")
    if harm in ("gone", "both are gone"):
        blob.unlink()
    if harm in ("its name is gone", "both are gone"):
        entry.unlink()

    home.repair(receipt)

    assert home.seen_by_hf(SAFE, "config.json").read_bytes() == config.read_bytes()
    assert verdicts(home, receipt) == []


def test_a_model_without_kept_pieces_is_fetched_whole(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, 5, b"!")
    for one in home.library.path(receipt).parent.glob("*.pieces"):
        one.unlink()

    assert home.repair(receipt).fetched == SIZE
    assert blob.read_bytes() == model.read_bytes()


def test_an_imported_model_has_nobody_to_ask(home: Home, hub: FakeHub) -> None:
    receipt = an_artifact(home.library, "local/mine", version="local")
    receipt = replace(receipt, source=replace(receipt.source, kind=SourceKind.IMPORT))
    home.library.put(receipt)
    assert home.repair(receipt).fetched == 0
    blob = home.blob(receipt.files[0].sha256, "local/mine")
    blob.write_bytes(b"damage")
    hub.forget()

    with pytest.raises(NoSourceLeftError, match="Import it again"):
        home.repair(receipt)
    assert blob.read_bytes() == b"damage"
    assert hub.log == ()


@pytest.mark.parametrize("how", ["gone", "other bytes"])
def test_a_hub_that_has_other_files_by_now_is_no_source(home: Home, hub: FakeHub, how: str) -> None:
    receipt, blob = harmed(home, hub, 0, b"!!!!")
    damaged = blob.read_bytes()
    other = replace(receipt, files=(replace(receipt.files[0], path=f"{how}-Q4_K_M.gguf"),))
    if how == "other bytes":
        other = replace(receipt, files=(replace(receipt.files[0], sha256="0" * 64),))
    home.library.put(other)

    with pytest.raises(NoSourceLeftError, match="any more"):
        home.repair(other)
    assert blob.read_bytes() == damaged


def test_B30_without_the_hub_nothing_is_lost(home: Home, hub: FakeHub) -> None:
    receipt, blob = harmed(home, hub, PIECE, b"!")
    damaged = blob.read_bytes()
    hub.stop()

    with pytest.raises(NetworkError):
        home.repair(receipt)
    assert blob.read_bytes() == damaged


def test_a_repair_that_was_stopped_is_completed_by_the_next_pull(home: Home, hub: FakeHub, model: Path) -> None:
    receipt, blob = harmed(home, hub, PIECE, b"!")
    stop = threading.Event()
    hub.faults.add(Fault(FaultKind.STALL, after=2 * MIB, times=None))

    def told(_path: str, done: int, _size: int) -> None:
        if hub.bytes_sent(FILE) >= MIB:
            stop.set()

    with pytest.raises(TransferEndedError):
        Repairer(home.puller, home.hub).repair(receipt, QUICK, told, stop)
    assert not home.library.state(receipt).complete
    hub.faults.clear()

    home.pull()

    assert blob.read_bytes() == model.read_bytes()
    assert hub.bytes_sent(FILE) <= LAST + 2 * MIB
    assert home.own() == []


@pytest.mark.parametrize("stage", [Stage.LOCKED, Stage.FETCHED, Stage.SYNCED, Stage.KEPT])
def test_C35_a_repair_that_was_killed_is_completed_by_the_next_one(
    home: Home, hub: FakeHub, model: Path, stage: Stage
) -> None:
    receipt, blob = harmed(home, hub, PIECE, random_bytes(0, "harm", 10))
    with pull_once(hub.url, "repair", str(home.top), stage.value) as running:
        said, complaints = running.communicate(timeout=60)
    assert said == "killed\n", complaints

    home.repair(receipt)

    assert blob.read_bytes() == model.read_bytes()
    assert hub.bytes_sent(FILE) == LAST, "once, by whoever it was"
    assert (verdicts(home, receipt), home.own()) == ([], [])


def test_what_is_good_is_every_piece_that_is_not_bad() -> None:
    assert good_spans(3 * PIECE + 5, (1,)) == ((0, PIECE), (2 * PIECE, 3 * PIECE), (3 * PIECE, 3 * PIECE + 5))
    assert good_spans(PIECE + 1, (0,)) == ((PIECE, PIECE + 1),)
    assert good_spans(PIECE, ()) == ()
