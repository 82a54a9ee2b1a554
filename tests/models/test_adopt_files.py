"""Single files: proven first, then given a name, and taken back when the rest fails."""

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from thorp.base.moments import rfc3339
from thorp.models.adopt_files import (
    BusyFileError,
    ChangedWhileReadError,
    Known,
    Work,
    WrongNameError,
    known_inodes,
    mark_at,
    prove,
    take,
    undo,
)
from thorp.models.adopt_types import Artifact, Lying
from thorp.models.library import Library
from thorp.models.links import How
from thorp.models.partial import Partial
from thorp.models.receipts import Origin
from thorp.models.types import Format, SourceKind
from thorp.testing.library import NO_LINKS, a_library, an_artifact, git_name, piece_hashes

DATA = b"weights" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


def a_work(library: Library, *, copies: bool = False) -> Work:
    return Work(library, copies, lambda *_: None, threading.Event())


def lying(tmp_path: Path, digest: str = "") -> Lying:
    at = tmp_path / "source"
    at.write_bytes(DATA)
    return Lying("m.gguf", at, at, len(DATA), digest)


def an_offer(one: Lying) -> Artifact:
    return Artifact("org/repo", None, "local", "m", Format.GGUF, (one,), None, Origin(SourceKind.IMPORT))


@pytest.mark.parametrize("digest", ["", SHA, git_name(DATA)])
def test_a_name_that_promises_something_is_held_to_it(tmp_path: Path, digest: str) -> None:
    one = lying(tmp_path, digest)
    found = prove(a_work(a_library(tmp_path)), one, mark_at(one), None)

    assert (found.sha256, found.pieces) == (SHA, piece_hashes(DATA))
    assert found.digest.hex() == (digest or SHA)


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 40])
def test_B32_another_name_is_a_lie(tmp_path: Path, digest: str) -> None:
    one = lying(tmp_path, digest)
    for known in (None, Known(SHA, b"")):
        with pytest.raises(WrongNameError):
            prove(a_work(a_library(tmp_path)), one, mark_at(one), known)


def test_a_file_that_changed_since_its_header_was_read_is_refused(tmp_path: Path) -> None:
    one = lying(tmp_path)
    mark = mark_at(one)
    one.at.write_bytes(DATA[::-1])
    os.utime(one.at, ns=(mark[3], mark[3]))

    with pytest.raises(ChangedWhileReadError):
        prove(a_work(a_library(tmp_path)), one, mark, None)


def test_what_was_written_to_since_it_was_verified_is_not_known(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    receipt = an_artifact(library)
    blob = next(iter(library.layout.blobs(receipt.repo).iterdir()))
    facts = blob.stat()
    library.put(replace(receipt, verified_at=rfc3339(facts.st_ctime + 1)))

    assert known_inodes(library)[facts.st_dev, facts.st_ino].sha256 == receipt.files[0].sha256
    library.put(replace(receipt, verified_at=rfc3339(facts.st_ctime - 1)))
    os.utime(blob, (1e9, 1e9))
    assert known_inodes(library) == {}, "who writes to a file can set back its moment, not that of its inode"


def test_what_was_taken_is_taken_back(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    work, one = a_work(library), lying(tmp_path)
    proven = prove(work, one, mark_at(one), None)

    assert take(work, an_offer(one), proven) is How.LINKED
    assert take(work, an_offer(one), proven) is None
    undo(work, "org/repo", "a" * 40, [proven.digest], [])
    assert not library.layout.repo("org/repo").exists()
    assert one.at.read_bytes() == DATA


def test_what_somebody_else_names_by_now_is_not_taken_back(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    work, one = a_work(library), lying(tmp_path)
    proven = prove(work, one, mark_at(one), None)
    take(work, an_offer(one), proven)
    library.cache.enter("org/repo", "a" * 40, "m.gguf", proven.digest)
    undo(work, "org/repo", "b" * 40, [proven.digest], [])

    assert library.layout.blob("org/repo", proven.digest).read_bytes() == DATA


def test_C39_a_file_that_another_process_brings_is_left_to_it(tmp_path: Path) -> None:
    library = a_library(tmp_path, NO_LINKS)
    work, one = a_work(library, copies=True), lying(tmp_path)
    proven = prove(work, one, mark_at(one), None)
    other = Partial.held(library.layout.partial("org/repo", proven.digest), len(DATA))
    assert other is not None

    with pytest.raises(BusyFileError):
        take(work, an_offer(one), proven)
    other.release()
    assert take(work, an_offer(one), proven) is How.COPIED


def test_a_copy_is_proven_again(tmp_path: Path) -> None:
    library = a_library(tmp_path, NO_LINKS)
    work, one = a_work(library), lying(tmp_path)
    proven = prove(work, one, mark_at(one), None)
    one.at.write_bytes(DATA[::-1])

    with pytest.raises(ChangedWhileReadError):
        take(work, an_offer(one), replace(proven))
    assert not library.layout.blob("org/repo", proven.digest).exists()
