"""A model is entered as a whole: names, headers read where they lie now, torrents, receipt."""

from dataclasses import replace
from pathlib import Path

import pytest

from thorp.base.errors import ThorpError
from thorp.formats.errors import BadShardsError
from thorp.models.adopt_filing import TakenAwayError, file_away, is_present, known_receipt, read_headers
from thorp.models.adopt_types import Arrival, Arrived
from thorp.models.layout import PUBLICATION, digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.models.shared import is_kept_back
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.library import a_library, an_artifact, piece_hashes

NAME = "A-7B-Q8_0.gguf"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path / "home")


def prepared(tmp_path: Path, library: Library) -> tuple[Receipt, Arrival]:
    """A proven blob without names, and the receipt it is to get."""
    path = tiny_gguf(tmp_path / NAME)[0]
    receipt = an_artifact(library, "org/repo", {NAME: path.read_bytes()})
    library.drop(receipt)
    library.layout.file("org/repo", receipt.revision, NAME).unlink()
    library.layout.ref("org/repo", "main").unlink()
    file = receipt.files[0]
    arrived = Arrived(NAME, file.size, file.sha256, piece_hashes(path.read_bytes()), digest_of(file.sha256))
    return receipt, Arrival((arrived,), read_headers([path], None))


def test_it_is_entered_and_pointed_to(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    entries: list[Path] = []
    found = file_away(library, receipt, arrival, entries)

    assert entries == [library.layout.file("org/repo", receipt.revision, NAME)]
    assert library.layout.ref("org/repo", "main").read_text() == receipt.revision
    assert found.files[0].infohash is None
    assert known_receipt(library, receipt) == found
    assert is_present(library, found, receipt)
    assert not is_present(library, None, receipt)
    assert not is_present(library, replace(found, files=()), receipt)


def test_only_what_its_owner_published_is_sealed(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    note = library.path(receipt).with_name(PUBLICATION)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("{}")
    found = file_away(library, receipt, arrival, [])

    assert library.layout.torrent(digest_of(found.files[0].infohash or "")).exists()


def test_it_is_kept_back_before_it_is_listed_and_not_when_it_fails(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    arrival = replace(arrival, kept=True)
    in_the_way = library.layout.pieces(library.path(receipt), arrival.files[0].digest)
    in_the_way.mkdir(parents=True)
    with pytest.raises(ThorpError):
        file_away(library, receipt, arrival, [])
    assert not is_kept_back(library, receipt)
    in_the_way.rmdir()
    file_away(library, receipt, arrival, [])
    assert is_kept_back(library, receipt)


def test_what_is_gone_by_now_is_not_entered(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    library.layout.blob("org/repo", arrival.files[0].digest).unlink()

    with pytest.raises(TakenAwayError):
        file_away(library, receipt, arrival, [])
    assert known_receipt(library, receipt) is None


def test_C43_headers_that_say_something_else_by_now_are_refused(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)

    with pytest.raises(TakenAwayError):
        file_away(library, receipt, replace(arrival, facts=replace(arrival.facts, layers=99)), [])
    assert known_receipt(library, receipt) is None


def test_a_branch_that_stands_for_something_stays(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    library.cache.point("org/repo", "main", "f" * 40)
    file_away(library, receipt, arrival, [])

    assert library.layout.ref("org/repo", "main").read_text() == "f" * 40


def test_D49_a_projector_has_to_be_one(tmp_path: Path) -> None:
    model, other = tiny_gguf(tmp_path / NAME)[0], tiny_gguf(tmp_path / "mmproj.gguf")[0]

    with pytest.raises(BadShardsError):
        read_headers([model, other], other)
    assert not read_headers([model, projector_gguf(other)], other).is_projector


def test_a_branch_that_cannot_be_read_is_made_anew(tmp_path: Path, library: Library) -> None:
    receipt, arrival = prepared(tmp_path, library)
    library.layout.ref("org/repo", "main").parent.mkdir(parents=True, exist_ok=True)
    library.layout.ref("org/repo", "main").write_text("not a commit")
    file_away(library, receipt, arrival, [])

    assert library.layout.ref("org/repo", "main").read_text() == receipt.revision
