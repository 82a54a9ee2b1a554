"""Pruning takes leftovers and what took its place, and never anything that anybody works on."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from thorp.base.moments import rfc3339
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.partial import Partial
from thorp.models.prune import A_DAY, Item, Leftover, Live, plan_prune, prune, superseded
from thorp.models.receipts import Receipt
from thorp.models.remove import REMOVING, remove
from thorp.models.stores import StoreAwayError
from thorp.models.uses import using
from thorp.testing.cuts import every_cut
from thorp.testing.library import A_MOMENT, a_library, an_artifact, put_blob

REPO, OTHER = "org/repo", "b" * 40
DIGEST = bytes(range(32))
NOBODY: Live = frozenset()
NOW = time.time()
SOON, LATER = NOW + A_DAY / 2, NOW + 2 * A_DAY
FILES = {"m.gguf": b"weights" * 10, "config.json": b"{}"}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def a_partial(library: Library, repo: str = REPO, digest: bytes = DIGEST) -> Path:
    """What a pull left that was killed."""
    work = Partial.held(library.layout.partial(repo, digest), 1000)
    assert work is not None
    work.open()
    work.write(memoryview(b"half"), 0)
    work.note()
    work.release()
    return work.folder


def planned(
    library: Library, now: float = LATER, older_than: float | None = None, live: Live = NOBODY
) -> tuple[Item, ...]:
    return plan_prune(library, now, older_than=older_than, live=live)


def kinds(items: tuple[Item, ...]) -> list[str]:
    return sorted(one.what for one in items)


def refs(items: tuple[Item, ...]) -> list[str]:
    return [one.ref for one in items if one.receipt]


def two_revisions(library: Library, **more: object) -> tuple[Receipt, Receipt]:
    old = an_artifact(library, files=FILES, downloaded_at=rfc3339(A_MOMENT), **more)
    new = an_artifact(
        library,
        files={"m.gguf": b"better" * 10, "config.json": b"{}"},
        revision=OTHER,
        downloaded_at=rfc3339(A_MOMENT + 1),
    )
    return old, new


def test_of_a_whole_library_nothing_goes(library: Library) -> None:
    an_artifact(library, files=FILES, torrents=True)
    an_artifact(library, "other/repo", files=FILES)

    assert planned(library) == ()


def test_an_unfinished_download_goes_after_a_day(library: Library) -> None:
    folder = a_partial(library)

    assert planned(library, SOON) == ()
    (item,) = planned(library)
    assert (item.what, item.ref, item.path) == (Leftover.PARTIAL, REPO, folder)
    assert item.bytes > 1000
    assert prune(library, (item,)) == (item,)
    assert not library.layout.repo(REPO).exists()
    assert prune(library, (item,)) == ()


def test_with_an_age_it_goes_earlier_but_never_later_than_a_day(library: Library) -> None:
    a_partial(library)

    assert kinds(planned(library, SOON, older_than=60)) == [Leftover.PARTIAL]
    assert kinds(planned(library, LATER, older_than=30 * A_DAY)) == [Leftover.PARTIAL]


def test_C41_what_a_process_is_fetching_stays(library: Library) -> None:
    folder = a_partial(library)
    (item,) = planned(library)

    held = Partial.held(folder, 1000)
    assert held is not None
    assert planned(library) == ()
    assert prune(library, (item,)) == ()
    held.release()
    assert prune(library, (item,)) == (item,)


def test_C41_what_a_paused_transfer_owns_stays(library: Library) -> None:
    a_partial(library)
    a_partial(library, digest=DIGEST[::-1])

    items = planned(library, live=frozenset({(REPO, DIGEST)}))

    assert [one.path for one in items] == [library.layout.partial(REPO, DIGEST[::-1])]


def test_C41_what_went_on_since_the_plan_stays(library: Library) -> None:
    folder = a_partial(library)
    items = planned(library)
    (folder / "data").write_bytes(b"more")

    assert prune(library, items) == ()
    assert (folder / "data").read_bytes() == b"more"


def test_C41_by_a_clock_of_the_past_nothing_is_old(library: Library) -> None:
    a_partial(library)
    put_blob(library, REPO, DIGEST[::-1], b"kept")
    library.layout.torrents.mkdir()
    (library.layout.torrents / f"{'c' * 40}.torrent").touch()
    two_revisions(library)

    assert planned(library, A_MOMENT - 10 * A_DAY, older_than=0) == ()


def test_C41_who_began_anew_under_the_lock_of_the_old_is_not_disturbed(library: Library) -> None:
    folder = a_partial(library)
    waiting = os.open(folder / "lock", os.O_RDWR)
    (item,) = planned(library)

    prune(library, (item,))
    held = Partial.held(folder, 1000)  # another file under that name by now
    fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(waiting)

    assert held is not None
    assert Partial.held(folder, 1000) is None
    held.release()


def test_C43_a_link_in_place_of_our_folder_is_not_followed(library: Library, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    (precious / DIGEST.hex()).mkdir(parents=True)
    (precious / DIGEST.hex() / "data").write_bytes(b"mine")
    own = library.layout.partial(REPO, DIGEST).parent
    own.parent.mkdir(parents=True)
    own.symlink_to(precious)
    library.layout.quarantine(REPO, DIGEST).parent.symlink_to(precious)
    own.parent.parent.parent.joinpath("models--evil").symlink_to(precious)

    assert planned(library) == ()


def test_C43_a_link_among_partials_and_in_quarantine_goes_itself_at_most(library: Library, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/data").write_bytes(b"mine")
    for place in (library.layout.partial(REPO, DIGEST), library.layout.quarantine(REPO, DIGEST)):
        place.parent.mkdir(parents=True)
        place.symlink_to(tmp_path / "precious")

    gone = prune(library, planned(library))

    assert [(one.what, one.bytes) for one in gone] == [(Leftover.QUARANTINE, 0)]
    assert (tmp_path / "precious/data").read_bytes() == b"mine"


def test_quarantine_and_drafts_go_and_others_names_stay(library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    bad = library.layout.quarantine(REPO, DIGEST)
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"bad")
    blobs, snapshot = library.layout.blobs(REPO), library.layout.snapshot(REPO, receipt.revision)
    drafts = [
        blobs / f".{DIGEST.hex()}.adopting",
        snapshot / ".m.gguf.entering",
        snapshot.parent.parent / "refs/.main.3.unfinished",
    ]
    theirs = [blobs / f"{DIGEST.hex()}.incomplete", snapshot / ".gitattributes"]
    for one in (*drafts, *theirs):
        one.write_bytes(b"12")

    assert kinds(planned(library, SOON)) == [Leftover.QUARANTINE]
    gone = prune(library, planned(library))

    assert {one.path for one in gone} == {bad, *drafts}
    assert sum(one.bytes for one in gone) == 9
    assert all(one.exists() for one in theirs)
    assert library.state(receipt).complete


def test_torrents_that_no_model_names_go(library: Library) -> None:
    receipt = an_artifact(library, files=FILES, torrents=True)
    stray, other = library.layout.torrents / f"{'c' * 40}.torrent", library.layout.torrents / f"{'c' * 40}.resume"
    stray.write_bytes(b"de")
    other.write_bytes(b"de")

    assert planned(library, SOON) == ()
    assert [one.path for one in prune(library, planned(library))] == [stray]
    assert len(list(library.layout.torrents.iterdir())) == len(receipt.files) + 1


def test_C45_beside_receipts_that_cannot_be_read_torrents_and_blobs_stay(library: Library) -> None:
    receipt = an_artifact(library, files=FILES, torrents=True)
    library.path(receipt).write_text('{"schema": 9}')
    put_blob(library, REPO, DIGEST, b"whole")

    assert planned(library) == ()


def test_whole_files_that_nothing_names_go_and_those_with_a_name_stay(library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    orphan = put_blob(library, REPO, DIGEST, b"whole")
    theirs = put_blob(library, REPO, DIGEST[::-1], b"of hf")
    library.cache.enter(REPO, OTHER, "theirs.gguf", DIGEST[::-1])

    assert planned(library, SOON) == ()
    assert [one.path for one in prune(library, planned(library))] == [orphan]
    assert theirs.exists()
    assert library.state(receipt).complete


def test_a_whole_file_that_a_receipt_needs_stays_without_its_name(library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    library.layout.file(REPO, receipt.revision, "m.gguf").unlink()

    assert planned(library) == ()


def test_C41_whole_files_of_a_pull_that_goes_on_stay(library: Library) -> None:
    orphan = put_blob(library, REPO, DIGEST, b"whole")
    items = planned(library)

    assert planned(library, live=frozenset({(REPO, DIGEST[::-1])})) == ()
    folder = a_partial(library, digest=DIGEST[::-1])
    assert [one.path for one in planned(library)] == [folder]
    assert prune(library, items) == ()
    assert orphan.exists()


def test_C41_a_whole_file_that_got_its_name_since_the_plan_stays(library: Library) -> None:
    put_blob(library, REPO, DIGEST, b"whole")
    items = planned(library)
    entry = library.cache.enter(REPO, OTHER, "m.gguf", DIGEST)

    assert prune(library, items) == ()
    assert entry.read_bytes() == b"whole"


def test_a_revision_gives_way_to_a_newer_one(library: Library) -> None:
    old, new = two_revisions(library)

    (item,) = planned(library)
    gone = prune(library, (item,))

    assert (item.what, item.ref) == (old.model_id, f"{REPO}@{old.revision}:q4_k_m")
    assert [one.bytes for one in gone] == [70]
    assert library.receipts() == (new,)
    assert library.state(new).complete


def test_it_stays_with_a_name_of_its_own_or_while_in_use_or_without_a_whole_successor(library: Library) -> None:
    old, new = two_revisions(library)
    items = planned(library)

    with using(library.path(old)):
        assert planned(library) == ()
        assert prune(library, items) == ()
    library.put(old.with_aliases(("fast",)))
    assert planned(library) == ()
    assert prune(library, items) == ()
    library.put(old)
    library.layout.blob(REPO, digest_of(new.files[0].sha256)).unlink()
    assert planned(library) == ()


def test_a_pinned_revision_does_not_give_way(library: Library) -> None:
    two_revisions(library, version="v1.0")

    assert planned(library) == ()


def test_C41_a_revision_that_its_branch_stands_for_does_not_give_way(library: Library) -> None:
    """It was pulled while the clock was behind."""
    old, _ = two_revisions(library)
    library.cache.point(REPO, "main", old.revision)

    assert planned(library) == ()


def test_only_a_later_one_of_the_same_artifact_and_branch_supersedes(library: Library) -> None:
    old, new = two_revisions(library)

    assert superseded(old, [new], new.revision)
    assert not superseded(new, [old], new.revision)
    assert not superseded(old, [old], None)
    assert not superseded(old, [an_artifact(library, files=FILES, revision=OTHER, artifact="else")], None)


def test_models_long_unused_go_only_when_asked_for(library: Library) -> None:
    receipt = an_artifact(library, files=FILES, downloaded_at=rfc3339(NOW - 50 * A_DAY))
    named = an_artifact(library, "other/repo", files=FILES, downloaded_at=rfc3339(NOW - 50 * A_DAY), aliases=("fast",))

    assert planned(library, NOW) == planned(library, NOW, older_than=60 * A_DAY) == ()
    assert refs(planned(library, NOW, older_than=40 * A_DAY)) == [f"{REPO}@{receipt.revision}:q4_k_m"]
    with using(library.path(receipt)):
        assert planned(library, NOW, older_than=40 * A_DAY) == ()
    assert planned(library, NOW, older_than=40 * A_DAY) == ()  # used a moment ago
    assert refs(planned(library, NOW + 41 * A_DAY, older_than=40 * A_DAY)) != []
    assert library.state(named).complete


def test_C44_while_the_disk_is_away_nothing_goes(library: Library, tmp_path: Path) -> None:
    an_artifact(library, downloaded_at=rfc3339(NOW - 50 * A_DAY))
    items = planned(library, older_than=A_DAY)
    library.layout.hub.rename(tmp_path / "unmounted")

    with pytest.raises(StoreAwayError):
        planned(library, older_than=A_DAY)
    with pytest.raises(StoreAwayError):
        prune(library, items)

    assert len(library.receipts()) == 1


def test_C35_an_interrupted_removal_is_gone_on_with(library: Library, tmp_path: Path) -> None:
    for number, trial in enumerate(every_cut()):
        home = tmp_path / str(number)
        library = a_library(home)
        receipt = an_artifact(library, files=FILES)
        trial(lambda library=library, receipt=receipt: remove(library, receipt))
        left = library.path(receipt).with_name(REMOVING).exists()

        library = a_library(home)
        gone = prune(library, planned(library))

        assert [one.what for one in gone] == [Leftover.REMOVAL] * left
        assert library.path(receipt).exists() or not library.layout.repo(REPO).exists()


def test_C35_pruning_may_end_anywhere(tmp_path: Path) -> None:
    for number, trial in enumerate(every_cut()):
        library = a_library(tmp_path / str(number))
        old, new = two_revisions(library)
        a_partial(library, "org/gone")
        put_blob(library, "org/orphan", DIGEST, b"whole")
        items = planned(library)
        assert kinds(items) == sorted([Leftover.PARTIAL, Leftover.BLOB, old.model_id])

        trial(lambda library=library, items=items: prune(library, items))

        library = a_library(tmp_path / str(number))
        assert library.state(new).complete
        prune(library, planned(library))
        assert planned(library) == ()
        assert library.receipts() == (new,)
        assert library.state(new).complete
        assert sorted(one.name for one in library.layout.hub.glob("models--*/*/*/*")) != []
