"""Removing takes what only one model needs, whenever the machine may end in between."""

import fcntl
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thorp.base.moments import rfc3339
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.links import DISK_LINKS, Links
from thorp.models.prune import plan_prune, prune
from thorp.models.receipts import Receipt
from thorp.models.remove import (
    REMOVING,
    UnclearError,
    finish_removal,
    plan_removal,
    receipts_of,
    remove,
    unfinished,
)
from thorp.models.stores import StoreAwayError
from thorp.models.uses import InUseError, using
from thorp.testing.cuts import every_cut
from thorp.testing.library import A_MOMENT, NO_LINKS, NO_SYMLINKS, a_library, an_artifact, git_name

OTHER = "b" * 40
EVERY_DISK = pytest.mark.parametrize("links", [DISK_LINKS, NO_SYMLINKS, NO_LINKS], ids=["links", "hard", "none"])
Q4, Q8 = {"m-Q4.gguf": b"4" * 40, "mmproj.gguf": b"p" * 10}, {"m-Q8.gguf": b"8" * 80, "mmproj.gguf": b"p" * 10}


def everything(top: Path) -> set[str]:
    return {
        str(one.relative_to(top))
        for one in top.rglob("*")
        if not one.name.startswith(("library.db", ".thorp-store", ".locks"))
    }


def all_there(library: Library, receipt: Receipt) -> bool:
    """Whether every file of a model stands where programs look, with its bytes."""
    places = [library.layout.file(receipt.repo, receipt.revision, one.path) for one in receipt.files]
    return library.state(receipt).complete and all(
        one.is_file() and one.stat().st_size == file.size for one, file in zip(places, receipt.files, strict=True)
    )


@EVERY_DISK
def test_the_only_model_leaves_nothing(tmp_path: Path, links: Links) -> None:
    library = a_library(tmp_path, links)
    before = everything(tmp_path)
    receipt = an_artifact(library, files={"sub/m.gguf": b"x" * 70, "config.json": b"{}"})

    assert plan_removal(library, receipt).freed == 72
    assert remove(library, receipt).freed == 72
    assert everything(tmp_path) - {"data/receipts"} == before - {"data/receipts"}
    assert library.receipts() == ()
    assert remove(library, receipt).freed == 0


@EVERY_DISK
def test_files_that_another_model_shares_stay(tmp_path: Path, links: Links) -> None:
    library = a_library(tmp_path, links)
    first, second = an_artifact(library, files=Q4), an_artifact(library, files=Q8)

    assert remove(library, first).freed == plan_removal(library, first).freed + 40 == 40
    assert all_there(library, second)
    assert library.receipts() == (second,)


@EVERY_DISK
def test_files_that_another_revision_shares_stay(tmp_path: Path, links: Links) -> None:
    library = a_library(tmp_path, links)
    first = an_artifact(library, files={"m.gguf": b"1" * 9, "config.json": b"{}"})
    second = an_artifact(library, files={"m.gguf": b"2" * 9, "config.json": b"{}"}, revision=OTHER)

    remove(library, first)

    assert all_there(library, second)
    assert not library.layout.snapshot(first.repo, first.revision).exists()
    assert library.layout.ref("org/repo", "main").read_text() == OTHER
    names = {one.name for one in library.layout.blobs("org/repo").glob("*")}
    assert names <= {second.files[0].sha256, git_name(b"{}")}


def test_what_another_program_named_stays(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    theirs = library.cache.enter(receipt.repo, OTHER, "theirs.gguf", digest_of(receipt.files[0].sha256))
    library.cache.point(receipt.repo, "theirs", OTHER)

    assert plan_removal(library, receipt).freed == 0
    assert remove(library, receipt).freed == 0
    assert theirs.stat().st_size == receipt.size_bytes
    assert library.layout.ref(receipt.repo, "theirs").exists()
    assert not library.layout.ref(receipt.repo, "main").exists()


def test_bytes_that_have_another_name_elsewhere_free_nothing(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    os.link(library.layout.blob(receipt.repo, digest_of(receipt.files[0].sha256)), tmp_path / "mine.gguf")

    assert remove(library, receipt).freed == 0
    assert (tmp_path / "mine.gguf").stat().st_size == receipt.size_bytes


def test_a_file_that_huggingface_hub_is_at_stays(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    digest = digest_of(receipt.files[0].sha256)
    lock = library.layout.hub_lock(receipt.repo, digest)
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert remove(library, receipt).freed == 0

    assert library.layout.blob(receipt.repo, digest).exists()


def test_its_torrents_go_unless_another_model_has_them(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    first = an_artifact(library, files=Q4, torrents=True)
    second = an_artifact(library, "other/repo", files=Q8, torrents=True)

    remove(library, first)

    assert {one.stem for one in library.layout.torrents.iterdir()} == {one.infohash for one in second.files}


def test_C40_what_is_in_use_is_refused_and_stays_whole(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)

    with using(library.path(receipt)), pytest.raises(InUseError, match=r"org/repo@a+:q4_k_m"):
        remove(library, receipt)

    assert all_there(library, receipt)
    assert library.receipts() == (receipt,)


def test_C43_a_name_that_leads_elsewhere_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    (tmp_path / "mine").write_bytes(b"mine")
    entry = library.layout.file(receipt.repo, receipt.revision, receipt.files[0].path)
    entry.unlink()
    entry.symlink_to(tmp_path / "mine")

    remove(library, receipt)

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not library.layout.repo(receipt.repo).exists()


def test_C44_nothing_is_removed_while_the_disk_is_away(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    library.layout.hub.rename(tmp_path / "unmounted")

    for work in (plan_removal, remove):
        with pytest.raises(StoreAwayError, match="Nothing was changed"):
            work(library, receipt)

    assert library.path(receipt).exists()
    assert not library.layout.hub.exists()


def test_C45_beside_a_receipt_of_a_newer_thorp_nothing_is_removed(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt, newer = an_artifact(library, files=Q4), an_artifact(library, files=Q8)
    library.path(newer).write_text('{"schema": 99}')

    with pytest.raises(UnclearError, match="newer Thorp") as refused:
        remove(library, receipt)

    assert refused.value.exit_code == 8
    assert all_there(library, receipt)
    assert library.path(newer).read_text() == '{"schema": 99}'


def test_C35_C40_a_machine_that_ends_anywhere_leaves_a_legal_state(tmp_path: Path) -> None:
    for number, trial in enumerate(every_cut()):
        library = a_library(tmp_path / str(number))
        other = an_artifact(library, files=Q8, torrents=True)
        clean = everything(tmp_path / str(number))
        receipt = an_artifact(library, files=Q4 | {"config.json": b"{}"}, torrents=True)
        library.rescan()

        trial(lambda library=library, receipt=receipt: remove(library, receipt))

        library = a_library(tmp_path / str(number))
        known = {one.key for one in receipts_of(library.layout, receipt.repo)}
        assert other.key in known
        assert all_there(library, other)
        assert all_there(library, receipt) or receipt.key not in known  # no receipt speaks of files that are gone
        if receipt.key in known:
            remove(library, receipt)
        for item in unfinished(library.layout):
            finish_removal(library, item)
        rest = everything(tmp_path / str(number)) - clean
        assert rest <= {str(library.path(receipt).parent.relative_to(tmp_path / str(number)))}  # at most empty
        assert library.receipts() == library.rescan().receipts == (other,)
        assert all_there(library, other)
    assert number > 10


def test_C35_pulling_it_again_after_a_removal_that_ended_in_the_middle_keeps_it(tmp_path: Path) -> None:
    for number, trial in enumerate(every_cut()):
        library = a_library(tmp_path / str(number))
        receipt = an_artifact(library, files=Q4)
        trial(lambda library=library, receipt=receipt: remove(library, receipt))
        again = an_artifact(library, files=Q4)

        prune(library, plan_prune(library, A_MOMENT, older_than=None, live=frozenset()))

        assert all_there(library, again)
        assert library.receipts() == (again,)
        assert not library.path(again).with_name(REMOVING).exists()
        assert library.pieces(again, again.files[0].sha256)


REVISIONS = ("a" * 40, "b" * 40)
FILES = {
    f"{name}.{end}": name.encode() * size for name, end, size in (("a", "gguf", 5), ("b", "gguf", 7), ("c", "json", 3))
}
FILES |= {"sub/d.json": b"ccc", "e.gguf": b"aaaaa"}  # as `c.json` and as `a.gguf`
SOME_FILES = st.lists(st.sampled_from(sorted(FILES)), min_size=1, unique=True)
ARTIFACT = st.tuples(
    st.sampled_from(["org/one", "org/two"]), st.sampled_from(REVISIONS), st.sampled_from("xyz"), SOME_FILES
)


@settings(deadline=None, max_examples=60)
@given(
    artifacts=st.lists(ARTIFACT, min_size=1, max_size=5, unique_by=lambda one: one[:3]),
    links=st.sampled_from([DISK_LINKS, NO_SYMLINKS]),
    data=st.data(),
)
def test_no_file_of_a_remaining_model_is_ever_lost_and_no_orphan_stays(artifacts, links, data) -> None:
    with TemporaryDirectory() as top:
        library = a_library(Path(top), links)
        made = [
            an_artifact(
                library,
                repo,
                {path: FILES[path] for path in paths},
                revision,
                artifact=name,
                downloaded_at=rfc3339(A_MOMENT),
            )
            for repo, revision, name, paths in artifacts
        ]
        for receipt in data.draw(st.permutations(made)):
            assert plan_removal(library, receipt).freed == remove(library, receipt).freed
            made.remove(receipt)
            assert Counter(library.receipts()) == Counter(made)
            assert all(all_there(library, one) for one in made)
            assert blobs(library) == {(one.repo, FILES[file.path]) for one in made for file in one.files}
        assert everything(Path(top)) <= {"hub", "data", "data/receipts", "data/stores.json"}


def blobs(library: Library) -> set[tuple[str, bytes]]:
    return {(repo, one.read_bytes()) for repo in ("org/one", "org/two") for one in library.layout.blobs(repo).glob("*")}
