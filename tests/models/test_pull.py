"""A whole pull: nothing is entered before all of it is right, and what is entered every program finds."""

import hashlib
import shutil
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.pulling import FILE, MIB, QUICK, REPO, Home, a_home, a_model
from thorp.base.errors import IntegrityError, NetworkError, NotAllowedError
from thorp.formats.errors import BadShardsError
from thorp.models.fetching import Pace, TransferEndedError
from thorp.models.layout import digest_of
from thorp.models.links import Links
from thorp.models.pull import Standing, VanishedError
from thorp.models.receipts import read_receipt
from thorp.models.room import NoRoomError
from thorp.models.stages import Stage
from thorp.models.stores import StoreAwayError
from thorp.models.types import Format, SourceKind
from thorp.models.verify import verify
from thorp.testing.clock import FakeClock
from thorp.testing.gguf import part_names, projector_gguf, tiny_gguf
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, SomeLinks, git_name
from thorp.testing.safetensors import tiny_config, tiny_safetensors

SIZE = 17 * MIB
SECRET = "hf_secretofthistest"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


@pytest.fixture
def hub(made: Path) -> Iterator[FakeHub]:
    with FakeHub() as one:
        one.add(REPO, {FILE: a_model(made, SIZE), "README.md": b"x"}, license="mit", downloads=5)
        yield one


@pytest.fixture
def home(tmp_path: Path, hub: FakeHub) -> Iterator[Home]:
    with a_home(tmp_path, hub.url) as one:
        yield one


def untouched(home: Home, repo: str = REPO) -> bool:
    """No receipt, and nothing that another program would find."""
    snapshots = home.library.layout.repo(repo) / "snapshots"
    return not home.library.rescan().receipts and not [one for one in snapshots.rglob("*") if not one.is_dir()]


def test_a_pull_ends_with_a_receipt_that_says_it_all(home: Home, hub: FakeHub, made: Path) -> None:
    receipt = home.pull()
    data = (made / FILE).read_bytes()

    assert (receipt.model_id, receipt.repo, receipt.format) == ("tiny:1b:base:q4_k_m", REPO, Format.GGUF)
    assert (receipt.license, receipt.gated, receipt.architecture, receipt.quant) == ("mit", False, "llama", "q4_k_m")
    assert (receipt.version, receipt.artifact, receipt.context_length) == ("main", "Tiny-1B-Q4_K_M", 256)
    assert (receipt.source.kind, receipt.source.detail) == (SourceKind.HUB, home.hub.where)
    assert receipt.files[0].sha256 == hashlib.sha256(data).hexdigest()
    assert read_receipt(home.library.path(receipt)) == receipt
    assert home.library.receipts() == (receipt,)
    torrent = home.library.layout.torrent(digest_of(receipt.files[0].infohash or ""))
    assert hashlib.sha1(data[: 16 * MIB], usedforsecurity=False).digest() in torrent.read_bytes()
    assert (home.blobs(), home.own(), home.drafts()) == ([receipt.files[0].sha256], [], [])
    assert hub.bytes_sent(FILE) == SIZE


def test_its_last_word_is_that_all_of_it_is_verified(home: Home) -> None:
    home.pull()

    assert home.told[-1] == Standing(SIZE, SIZE, {"hub": SIZE}, "reading its header", "hh", verifying=True)
    assert all(0 <= one.done <= SIZE for one in home.told)
    assert {one.total for one in home.told} == {SIZE}


@pytest.mark.parametrize("links", [SomeLinks(symlinks=True), NO_SYMLINKS, NO_LINKS])
def test_C38_huggingface_hub_finds_it_without_a_network(tmp_path: Path, hub: FakeHub, made: Path, links: Links) -> None:
    with a_home(tmp_path, hub.url, links=links) as home:
        receipt = home.pull()
        hub.stop()

        assert home.seen_by_hf().read_bytes() == (made / FILE).read_bytes()
        found = verify(home.library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
        assert all(one.ok for one in found)
        assert home.library.state(receipt).complete


def test_what_is_complete_is_pulled_again_without_a_byte(home: Home, hub: FakeHub) -> None:
    plan = home.plan()
    first = home.pull(plan)
    home.library.put(first.with_aliases(("fast",)))
    hub.stop()

    second = home.pull(plan)

    assert second.files == first.files
    assert second.aliases == ("fast",), "names the owner gave stay"


def test_C49_a_missing_shard_after_right_hashes_is_refused_and_set_aside(home: Home, hub: FakeHub, made: Path) -> None:
    names = part_names(FILE, 3)
    parts = tiny_gguf(made / FILE, shards=3)
    two = part_names(FILE, 2)
    hub.add("org/Shards-1B-GGUF", dict(zip(two, parts, strict=False)), lfs_above=10)

    with pytest.raises(BadShardsError):
        home.pull(home.plan("org/Shards-1B-GGUF"))

    assert untouched(home, "org/Shards-1B-GGUF")
    assert home.blobs("org/Shards-1B-GGUF") == []
    assert len([one for one in home.own("org/Shards-1B-GGUF") if one.endswith("/data")]) == 2
    assert len(names) == 3


def test_shards_are_one_artifact(home: Home, hub: FakeHub, made: Path) -> None:
    parts = tiny_gguf(made / FILE, shards=3)
    hub.add("org/Shards-1B-GGUF", {one.name: one for one in parts}, lfs_above=10)

    receipt = home.pull(home.plan("org/Shards-1B-GGUF"))

    assert [one.path for one in receipt.files] == part_names(FILE, 3)
    assert receipt.artifact == "Tiny-1B-Q4_K_M"
    assert all(home.seen_by_hf("org/Shards-1B-GGUF", one.name).read_bytes() == one.read_bytes() for one in parts)


HOSTILE = {
    "counts": b"GGUF" + struct.pack("<IQQ", 3, 1 << 63, 1 << 63) + bytes(SIZE),
    "no model": b"<!doctype html>" + bytes(SIZE),
    "only the magic": b"GGUF",
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + bytes(100),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_C32_D47_a_hostile_header_under_a_right_hash_is_refused_and_set_aside(
    home: Home, hub: FakeHub, content: bytes
) -> None:
    hub.add("evil/Bad-1B-GGUF", {"Bad-1B-Q8_0.gguf": content}, lfs_above=0)

    with pytest.raises(IntegrityError):
        home.pull(home.plan("evil/Bad-1B-GGUF"))

    assert untouched(home, "evil/Bad-1B-GGUF")
    assert home.blobs("evil/Bad-1B-GGUF") == []
    digest = hashlib.sha256(content).hexdigest()
    aside = home.library.layout.quarantine("evil/Bad-1B-GGUF", digest_of(digest)) / "data"
    assert aside.read_bytes() == content


def test_a_hostile_model_takes_nothing_along_that_another_one_uses(home: Home, hub: FakeHub, made: Path) -> None:
    good, eyes = tiny_gguf(made / "Eyes-1B-Q8_0.gguf")[0], projector_gguf(made / "mmproj-Eyes-1B-f16.gguf")
    bad = b"GGUF" + bytes(20_000)
    hub.add("org/Eyes-1B-GGUF", {good.name: good, eyes.name: eyes, "Eyes-1B-Q4_0.gguf": bad}, lfs_above=10)
    receipt = home.pull(home.plan("org/Eyes-1B-GGUF:Q8_0"))

    with pytest.raises(IntegrityError):
        home.pull(home.plan("org/Eyes-1B-GGUF:Q4_0"))

    assert home.library.receipts() == (receipt,)
    assert home.library.state(receipt).complete
    assert home.seen_by_hf("org/Eyes-1B-GGUF", eyes.name).read_bytes() == eyes.read_bytes()
    assert home.blobs("org/Eyes-1B-GGUF") == sorted(one.sha256 for one in receipt.files)


def test_a_projector_comes_along(home: Home, hub: FakeHub, made: Path) -> None:
    good, eyes = tiny_gguf(made / "Eyes-1B-Q8_0.gguf")[0], projector_gguf(made / "mmproj-Eyes-1B-f16.gguf")
    hub.add("org/Eyes-1B-GGUF", {good.name: good, eyes.name: eyes})

    receipt = home.pull(home.plan("org/Eyes-1B-GGUF"))

    assert receipt.projector == eyes.name
    assert [one.path for one in receipt.files] == [good.name, eyes.name]
    assert home.seen_by_hf("org/Eyes-1B-GGUF", eyes.name).read_bytes() == eyes.read_bytes()


def test_a_folder_of_safetensors_comes_with_its_small_files(home: Home, hub: FakeHub, made: Path) -> None:
    parts = tiny_safetensors(made / "model.safetensors", shards=2)
    config = tiny_config(made / "config.json")
    hub.add("org/Tiny-1B", {**{one.name: one for one in parts}, "config.json": config, "tokenizer.json": b"{}"})

    receipt = home.pull(home.plan("org/Tiny-1B"))

    assert (receipt.format, receipt.artifact) == (Format.SAFETENSORS, "_")
    assert {one.path for one in receipt.files} == {*(one.name for one in parts), "config.json", "tokenizer.json"}
    assert git_name(b"{}") in home.blobs("org/Tiny-1B")
    assert {one.path: one.sha256 for one in receipt.files}["tokenizer.json"] == hashlib.sha256(b"{}").hexdigest()
    assert home.seen_by_hf("org/Tiny-1B", "config.json").read_bytes() == config.read_bytes()
    assert home.library.state(receipt).complete
    kept = home.meaning("org/Tiny-1B").kept
    assert kept is not None
    assert kept.receipt == receipt


def test_B34_a_gated_model_gets_no_torrent_and_its_token_stays_at_the_hub(
    tmp_path: Path, hub: FakeHub, made: Path
) -> None:
    hub.add("meta/Gated-1B-GGUF", {"Gated-1B-Q4_0.gguf": made / FILE}, gated="manual", license="llama3")
    hub.tokens[SECRET] = {"meta/Gated-1B-GGUF"}
    with a_home(tmp_path, hub.url) as stranger, pytest.raises(NotAllowedError) as refused:
        stranger.pull(stranger.plan("meta/Gated-1B-GGUF"))
    assert refused.value.code == "models.gated"
    assert (untouched(stranger, "meta/Gated-1B-GGUF"), stranger.own("meta/Gated-1B-GGUF")) == (True, [])

    with a_home(tmp_path, hub.url, token=SECRET) as home:
        receipt = home.pull(home.plan("meta/Gated-1B-GGUF"))

    assert receipt.gated
    assert receipt.files[0].infohash is None
    assert not home.library.layout.torrents.exists()
    assert hub.leaks == 0


def test_C44_a_store_that_is_away_is_refused_and_nothing_is_fetched(home: Home, hub: FakeHub, tmp_path: Path) -> None:
    plan = home.plan()
    (tmp_path / "hub").rename(tmp_path / "unmounted")
    (tmp_path / "hub").mkdir()
    hub.forget()

    with pytest.raises(StoreAwayError, match="Nothing was fetched"):
        home.pull(plan)

    assert list((tmp_path / "hub").iterdir()) == []
    assert hub.log == ()


def test_C37_no_room_is_said_before_the_first_byte(home: Home, hub: FakeHub) -> None:
    plan = home.plan()
    free = shutil.disk_usage(home.top).free
    large = replace(plan, files=(replace(plan.files[0], size=free * 2),))
    hub.forget()

    with pytest.raises(NoRoomError, match="are missing") as refused:
        home.pull(large)

    assert refused.value.exit_code == 7
    assert refused.value.details["needed"] == 2 * free
    assert isinstance(refused.value.details["missing"], int)
    assert hub.log == ()
    assert (home.own(), home.blobs()) == ([], [])


def test_what_is_here_already_needs_no_room(home: Home, hub: FakeHub) -> None:
    plan = home.plan()
    assert home.puller.missing(plan) == SIZE
    stopped(home, hub)

    here = SIZE - home.puller.missing(plan)

    assert MIB <= here < SIZE
    hub.faults.clear()
    home.pull(plan)
    assert home.puller.missing(plan) == 0


def stopped(home: Home, hub: FakeHub) -> None:
    """A pull that somebody ends when some of it is here."""
    stop = threading.Event()
    hub.faults.add(Fault(FaultKind.STALL, after=2 * MIB, times=None))

    def told(standing: Standing) -> None:
        if standing.done >= MIB:
            stop.set()

    with pytest.raises(TransferEndedError):
        home.puller.pull(home.plan(), QUICK, told, stop)


def test_a_pull_that_was_stopped_goes_on_where_it_was(home: Home, hub: FakeHub, made: Path) -> None:
    stopped(home, hub)
    here = SIZE - home.puller.missing(home.plan())
    hub.faults.clear()
    hub.forget()

    home.pull()

    assert home.seen_by_hf().read_bytes() == (made / FILE).read_bytes()
    assert hub.bytes_sent(FILE) == SIZE - here
    assert home.own() == []


def test_a_pull_that_is_cancelled_leaves_nothing_behind(home: Home, hub: FakeHub) -> None:
    stopped(home, hub)
    assert home.own() != []

    home.puller.discard(home.plan())

    assert (home.own(), home.blobs(), untouched(home)) == ([], [], True)


def test_B26_a_file_that_changed_in_the_middle_is_never_mixed(home: Home, hub: FakeHub) -> None:
    stopped(home, hub)
    hub.faults.clear()
    hub.faults.add(Fault(FaultKind.CHANGED_ETAG, path=FILE, times=None))

    with a_home(home.top, hub.url) as later, pytest.raises(IntegrityError) as failed:
        later.pull()

    assert failed.value.code == "models.changed_upstream"
    assert untouched(home)


def test_B30_a_hub_that_stays_away_is_a_network_error_and_keeps_what_came(home: Home, hub: FakeHub) -> None:
    stopped(home, hub)
    plan, here = home.plan(), home.puller.missing(home.plan())
    hub.stop()

    with pytest.raises(NetworkError) as failed:
        home.pull(plan, pace=Pace(pauses=(0.001,)))

    assert failed.value.exit_code == 5
    assert home.puller.missing(plan) == here


def test_C40_a_file_that_vanishes_before_the_receipt_is_told(tmp_path: Path, hub: FakeHub) -> None:
    with a_home(tmp_path, hub.url) as plain:

        def removing(stage: Stage) -> None:
            if stage is Stage.CLEARED:
                plain.blob(plain.blobs()[0]).unlink()

        home = replace(plain, reached=removing)
        with pytest.raises(VanishedError, match="Pull it again"):
            home.pull()
        assert untouched(home)


def test_a_note_full_of_nonsense_does_no_harm(home: Home, hub: FakeHub, made: Path) -> None:
    stopped(home, hub)
    note = home.library.layout.partial(REPO, digest_of(hashlib.sha256((made / FILE).read_bytes()).hexdigest()))
    text = (note / "progress.json").read_text()
    (note / "progress.json").write_text(text.replace('"hub":', '"moon":'))
    hub.faults.clear()

    assert home.pull().source.kind is SourceKind.HUB


@pytest.mark.parametrize("version", ["main", "v1"])
def test_a_branch_is_noted_and_a_commit_is_not(home: Home, hub: FakeHub, version: str) -> None:
    plan = home.plan()
    home.pull(replace(plan, version=plan.revision if version == "v1" else "main"))

    refs = home.library.layout.repo(REPO) / "refs"
    assert ({one.name: one.read_text() for one in refs.iterdir()} if refs.exists() else {}) == (
        {"main": plan.revision} if version == "main" else {}
    )


def test_C42_a_pull_of_what_was_found_damaged_brings_it_anew(home: Home, hub: FakeHub) -> None:
    receipt = home.pull(home.plan(f"{REPO}:Q4_K_M"))
    blob = home.library.cache.find(receipt.repo, receipt.revision, receipt.files[0])
    assert blob
    blob.chmod(0o600)
    with blob.open("r+b") as file:
        file.seek(100)
        file.write(b"?")
    home.library.note_damage(receipt, damaged=True)

    again = home.pull(home.plan(f"{REPO}:Q4_K_M"))

    assert home.library.state(again).complete
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == receipt.files[0].sha256


def test_D47_a_hostile_header_takes_nothing_from_what_another_program_fetched(
    tmp_path: Path, hub: FakeHub, made: Path
) -> None:
    """The bytes are what their hash says, so they are that program's; they only become no model of ours."""
    hub.add("evil/Bad-1B-GGUF", {"Bad-1B-Q8_0.gguf": b"GGUF" + bytes(20_000)}, lfs_above=0)
    with a_home(tmp_path / "hf", hub.url) as home:
        at = home.fetched_by_hf("evil/Bad-1B-GGUF", "Bad-1B-Q8_0.gguf")
        with pytest.raises(IntegrityError):
            home.pull(home.plan("evil/Bad-1B-GGUF"))

        assert at.read_bytes() == b"GGUF" + bytes(20_000)
        assert home.library.receipts() == ()
