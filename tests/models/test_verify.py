"""What is wrong with stored files is found and told; nothing is changed, and nothing is read elsewhere."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from thorp.base.files import FileFaultError, FileRefusedError
from thorp.models.cache import Cache
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.stores import StoreAwayError
from thorp.models.uses import InUseError, last_used, sole
from thorp.models.verify import FileVerdict, verify
from thorp.swarm.recipes import PIECE
from thorp.testing.clock import FakeClock
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, SomeLinks, a_library, an_artifact, piece_hashes

DATA = b"0123456789abcdef" * (PIECE // 16) * 3 + b"the end"
MODEL = "m.gguf"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def an_old_one(library: Library, **files: bytes) -> Receipt:
    return an_artifact(library, files={MODEL: DATA, "config.json": b"{}"} | files)


def verified(library: Library, receipt: Receipt) -> dict[str, FileVerdict]:
    found = verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
    return {one.path: one for one in found}


def blob_of(library: Library, receipt: Receipt) -> Path:
    return library.layout.blob(receipt.repo, digest_of(receipt.files[0].sha256))


def harmed(library: Library, receipt: Receipt, at: int, data: bytes) -> FileVerdict:
    """The verdict on a model into which somebody wrote; its receipt has to be as before."""
    blob_of(library, receipt).chmod(0o600)
    with blob_of(library, receipt).open("r+b") as file:
        file.seek(at)
        file.write(data)
    found = verified(library, receipt)
    assert found["config.json"].ok
    assert read_receipt(library.path(receipt)) == receipt
    return found[MODEL]


@pytest.mark.parametrize("links", [SomeLinks(symlinks=True), NO_SYMLINKS, NO_LINKS])
def test_what_is_whole_is_said_to_be_and_noted(tmp_path: Path, links: SomeLinks) -> None:
    library = a_library(tmp_path, links)
    receipt = an_old_one(library)
    told: list[tuple[str, int, int]] = []
    found = verify(
        library, receipt, clock=FakeClock(5e9), progress=lambda *one: told.append(one), stop=threading.Event()
    )

    assert found == (FileVerdict(MODEL, ok=True), FileVerdict("config.json", ok=True))
    assert read_receipt(library.path(receipt)) == replace(receipt, verified_at="2128-06-11T08:53:20.000Z")
    assert library.receipts()[0].verified_at == "2128-06-11T08:53:20.000Z"
    assert told[-2:] == [(MODEL, len(DATA), len(DATA)), ("config.json", 2, 2)]
    assert last_used(library.path(receipt)) is None


def test_C36_zeros_after_a_power_cut_are_found_by_piece(library: Library) -> None:
    verdict = harmed(library, an_old_one(library), PIECE, bytes(PIECE))

    assert verdict.bad_pieces == (1,)
    assert not verdict.ok
    assert "piece 1 hold only zeros, as after a power cut" in verdict.problem


def test_C36_a_file_of_nothing_but_zeros_says_so(library: Library) -> None:
    verdict = harmed(library, an_old_one(library), 0, bytes(len(DATA)))

    assert verdict.bad_pieces == (0, 1, 2, 3)
    assert verdict.problem.startswith("it holds only zeros")


def test_C36_hashes_of_pieces_that_were_lost_are_made_again(library: Library) -> None:
    receipt = an_old_one(library)
    at = library.layout.pieces(library.path(receipt), digest_of(receipt.files[0].sha256))
    at.write_bytes(bytes(len(at.read_bytes())))

    assert verified(library, receipt)[MODEL].ok
    assert at.read_bytes() == piece_hashes(DATA)


@pytest.mark.parametrize("at", [0, PIECE - 1, PIECE * 2, len(DATA) - 1])
def test_C42_a_flipped_bit_is_found_by_piece(library: Library, at: int) -> None:
    verdict = harmed(library, an_old_one(library), at, bytes([DATA[at] ^ 1]))

    assert verdict.bad_pieces == (at // PIECE,)
    assert verdict.problem == f"it holds other bytes than when it was fetched: piece {at // PIECE}"


def test_C42_without_hashes_of_pieces_the_whole_file_is_judged(library: Library) -> None:
    receipt = an_old_one(library)
    library.layout.pieces(library.path(receipt), digest_of(receipt.files[0].sha256)).unlink()

    assert harmed(library, receipt, 5, b"!") == FileVerdict(
        MODEL, ok=False, problem="it holds other bytes than when it was fetched"
    )


@pytest.mark.parametrize(
    ("size", "problem", "bad"),
    [
        (len(DATA) - 10, "it is 10 bytes too short", (2, 3)),
        (0, f"it is {len(DATA)} bytes too short", (0, 1, 2, 3)),
        (len(DATA) + 3, "it is 3 bytes too long", ()),
    ],
)
def test_C42_a_truncated_or_longer_file_is_told(
    library: Library, size: int, problem: str, bad: tuple[int, ...]
) -> None:
    receipt = an_old_one(library)
    os.truncate(blob_of(library, receipt), size)

    assert verified(library, receipt)[MODEL] == FileVerdict(MODEL, ok=False, problem=problem, bad_pieces=bad)


def test_C42_a_file_that_was_edited_where_programs_find_it_is_told(library: Library) -> None:
    receipt = an_old_one(library)
    entry = library.layout.file(receipt.repo, receipt.revision, "config.json")
    entry.unlink()
    entry.write_bytes(b"{ }")

    assert verified(library, receipt)["config.json"].problem == "it is 1 bytes too long, and the rest differs, too"


def test_a_file_that_is_gone_is_told_apart_from_a_name_that_is(library: Library) -> None:
    receipt = an_old_one(library)
    entry = library.layout.file(receipt.repo, receipt.revision, MODEL)
    entry.unlink()
    assert "its bytes are whole" in verified(library, receipt)[MODEL].problem

    blob_of(library, receipt).unlink()
    assert verified(library, receipt)[MODEL].problem == "it is not there"

    library.cache.enter(receipt.repo, receipt.revision, MODEL, digest_of(receipt.files[0].sha256))
    assert verified(library, receipt)[MODEL].problem == "it is not there"


@pytest.mark.parametrize("what", ["entry", "blob", "folder", "pipe"])
def test_C43_what_a_link_leads_to_is_never_read(library: Library, tmp_path: Path, what: str) -> None:
    receipt = an_old_one(library)
    blob, elsewhere = blob_of(library, receipt), tmp_path / "elsewhere"
    elsewhere.mkdir()
    blob.rename(elsewhere / blob.name)  # whole bytes, so reading them would look fine
    match what:
        case "entry":
            entry = library.layout.file(receipt.repo, receipt.revision, MODEL)
            entry.unlink()
            entry.symlink_to(elsewhere / blob.name)
        case "blob":
            blob.symlink_to(elsewhere / blob.name)
        case "pipe":
            os.mkfifo(blob)
        case _:
            for one in blob.parent.iterdir():
                one.rename(elsewhere / one.name)
            blob.parent.rmdir()
            blob.parent.symlink_to(elsewhere)

    verdict = verified(library, receipt)[MODEL]

    assert not verdict.ok
    assert "was not read" in verdict.problem


class UnreadableCache(Cache):
    """A disk that fails, or a file of another user."""

    def __init__(self, cache: Cache, error: Exception) -> None:
        super().__init__(cache.layout)
        self._error = error

    def open(self, path: Path) -> int:
        raise self._error


@pytest.mark.parametrize(
    ("error", "problem"),
    [(FileFaultError("EIO"), "the disk failed while reading"), (FileRefusedError("EACCES"), "this user may not read")],
)
def test_what_cannot_be_read_is_told_in_plain_words(library: Library, error: Exception, problem: str) -> None:
    receipt = an_old_one(library)
    library.cache = UnreadableCache(library.cache, error)

    found = verified(library, receipt)

    assert [one.problem.startswith(problem) for one in found.values()] == [True, True]


def test_C44_while_the_disk_is_away_nothing_is_said_about_files(library: Library, tmp_path: Path) -> None:
    receipt = an_old_one(library)
    library.layout.hub.rename(tmp_path / "unmounted")

    with pytest.raises(StoreAwayError, match="mount it"):
        verified(library, receipt)

    assert read_receipt(library.path(receipt)) == receipt


def test_C40_it_cannot_be_removed_meanwhile(library: Library) -> None:
    receipt = an_old_one(library)

    def progress(*_: object) -> None:
        with pytest.raises(InUseError), sole(library.path(receipt), "it"):
            pass

    verify(library, receipt, clock=FakeClock(), progress=progress, stop=threading.Event())


def test_it_ends_when_it_is_told_to_and_notes_nothing(library: Library) -> None:
    receipt, stop = an_old_one(library), threading.Event()
    stop.set()

    with pytest.raises(HashingEndedError):
        verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=stop)

    assert read_receipt(library.path(receipt)) == receipt


def test_a_name_given_meanwhile_is_kept(library: Library) -> None:
    receipt = an_old_one(library)

    def progress(*_: object) -> None:
        library.put(receipt.with_aliases(("fast",)))

    verify(library, receipt, clock=FakeClock(), progress=progress, stop=threading.Event())

    assert read_receipt(library.path(receipt)).aliases == ("fast",)
