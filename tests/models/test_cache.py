"""Blobs and the names that lead to them, on disks with and without links."""

import os
from pathlib import Path

import pytest

from thorp.base.files import FileMissingError
from thorp.models.cache import Cache, StrangeFileError, same_file, whole
from thorp.models.library import Library
from thorp.models.links import DISK_LINKS, How, Links
from thorp.testing.library import A_REVISION, NO_LINKS, NO_SYMLINKS, a_library, an_artifact, put_blob

REPO, DIGEST, OTHER = "org/repo", bytes(range(32)), bytes(range(20))
EVERY_DISK = pytest.mark.parametrize("links", [DISK_LINKS, NO_SYMLINKS, NO_LINKS], ids=["links", "hard", "none"])


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


@pytest.fixture
def cache(library: Library) -> Cache:
    return library.cache


@EVERY_DISK
@pytest.mark.parametrize("path", ["m.gguf", "sub/deep/m.gguf"])
def test_C38_a_name_leads_to_the_bytes_however_often_it_is_given(tmp_path: Path, links: Links, path: str) -> None:
    library = a_library(tmp_path, links)
    put_blob(library, REPO, DIGEST, b"bytes")

    for _ in range(3):
        entry = library.cache.enter(REPO, A_REVISION, path, DIGEST)
        assert entry.read_bytes() == b"bytes"
    target = library.cache.target(REPO, entry)

    assert target is not None
    assert target.read_bytes() == b"bytes"
    assert [one.name for one in entry.parent.iterdir()] == ["m.gguf"]


@EVERY_DISK
def test_a_name_of_something_else_is_given_anew(tmp_path: Path, links: Links) -> None:
    library = a_library(tmp_path, links)
    put_blob(library, REPO, OTHER, b"old")
    library.cache.enter(REPO, A_REVISION, "m.gguf", OTHER)
    put_blob(library, REPO, DIGEST, b"new")

    assert library.cache.enter(REPO, A_REVISION, "m.gguf", DIGEST).read_bytes() == b"new"


@EVERY_DISK
def test_an_artifact_is_whole_until_a_file_is_gone_or_shorter(tmp_path: Path, links: Links) -> None:
    library = a_library(tmp_path, links)
    receipt = an_artifact(library, files={"m.gguf": b"weights", "config.json": b"{}"})
    assert whole(library.cache, receipt) == ""

    found = library.cache.find(REPO, receipt.revision, receipt.files[1])
    assert found is not None
    os.truncate(found, 1)
    assert whole(library.cache, receipt) == "`config.json` is not there, or is not 2 bytes long"


def test_a_blob_counts_with_its_size_only(library: Library, cache: Cache) -> None:
    put_blob(library, REPO, DIGEST, b"bytes")

    assert cache.has_blob(REPO, DIGEST, 5)
    assert not cache.has_blob(REPO, DIGEST, 4)
    assert not cache.has_blob(REPO, OTHER, 5)


@EVERY_DISK
def test_proven_bytes_are_taken_from_elsewhere_again_and_again(tmp_path: Path, links: Links) -> None:
    cache = a_library(tmp_path, links).cache
    source = tmp_path / "mine.gguf"
    source.write_bytes(b"mine")

    for _ in range(2):
        how = cache.adopt(REPO, DIGEST, source, copies=True)
        blob = cache.layout.blob(REPO, DIGEST)
        assert how is (How.COPIED if links is NO_LINKS else How.LINKED) or how is How.CLONED
        assert [one.name for one in blob.parent.iterdir()] == [DIGEST.hex()]
        assert blob.read_bytes() == source.read_bytes() == b"mine"


def test_nothing_is_copied_that_nobody_wanted_copied(tmp_path: Path) -> None:
    cache = a_library(tmp_path, NO_LINKS).cache
    (tmp_path / "mine.gguf").write_bytes(b"mine")

    assert cache.adopt(REPO, DIGEST, tmp_path / "mine.gguf", copies=False) is None
    assert list(cache.layout.blobs(REPO).iterdir()) == []


def test_a_branch_stands_for_what_it_was_pointed_at(cache: Cache) -> None:
    cache.point(REPO, "refs/pr/1", A_REVISION)
    cache.point(REPO, "refs/pr/1", "b" * 40)

    assert cache.layout.ref(REPO, "refs/pr/1").read_text() == "b" * 40


def test_a_stored_file_is_opened(library: Library, cache: Cache) -> None:
    handle = cache.open(put_blob(library, REPO, DIGEST, b"bytes"))

    assert os.read(handle, 10) == b"bytes"
    os.close(handle)
    with pytest.raises(FileMissingError):
        cache.open(cache.layout.blob(REPO, OTHER))


@pytest.mark.parametrize("what", ["file", "folder", "above", "pipe", "directory"])
def test_C43_what_was_exchanged_for_a_link_or_a_device_is_refused(
    library: Library, cache: Cache, tmp_path: Path, what: str
) -> None:
    entry = cache.layout.file(REPO, A_REVISION, "sub/m.gguf")
    entry.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    for one in (elsewhere / "m.gguf", elsewhere / "sub/m.gguf"):
        one.write_bytes(b"not ours")
    match what:
        case "file":
            entry.symlink_to(elsewhere / "m.gguf")
        case "folder":
            entry.parent.rmdir()
            entry.parent.symlink_to(elsewhere)
        case "above":
            entry.parent.rmdir()
            entry.parent.parent.rmdir()
            entry.parent.parent.symlink_to(elsewhere)
        case "pipe":
            os.mkfifo(entry)
        case _:
            entry.mkdir()

    with pytest.raises(StrangeFileError, match="Nothing was read"):
        cache.open(entry)


def test_a_repository_that_was_moved_to_another_disk_is_read_there(
    library: Library, cache: Cache, tmp_path: Path
) -> None:
    blob = put_blob(library, REPO, DIGEST, b"bytes")
    cache.layout.repo(REPO).rename(tmp_path / "moved")
    cache.layout.repo(REPO).symlink_to(tmp_path / "moved")

    os.close(cache.open(blob))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", f"../../../x/blobs/{'a' * 64}"])
def test_C43_a_name_that_leads_elsewhere_leads_nowhere(library: Library, cache: Cache, target: str) -> None:
    receipt = an_artifact(library, files={"config.json": b"{}"})
    entry = cache.layout.file(REPO, receipt.revision, "config.json")
    entry.unlink()
    entry.symlink_to(target)

    assert cache.target(REPO, entry) is None
    assert cache.find(REPO, receipt.revision, receipt.files[0]) is None


def test_one_file_under_two_names_is_told_from_two_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    os.link(tmp_path / "a", tmp_path / "c")

    assert same_file(tmp_path / "a", tmp_path / "c")
    assert not same_file(tmp_path / "a", tmp_path / "b")
    assert not same_file(tmp_path / "a", tmp_path / "none")
