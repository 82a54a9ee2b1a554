"""A model leaves for a USB stick whole and proven, or not at all."""

import errno
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from thorp.base.files import FileFaultError, FileTakenError
from thorp.models.bundle import DamagedFileError, NotThereError, _file_size_told, export_bundle
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt, parse_receipt
from thorp.models.remove import remove
from thorp.models.room import NoRoomError
from thorp.models.uses import GoneError, InUseError
from thorp.testing.library import a_library, an_artifact

FILES = {"M-7B-Q8_0.gguf": b"weights" * 99, "deep/er/config.json": b"{}"}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path / "home")


def export(library: Library, receipt: Receipt, target: Path, **more: object) -> int:
    wishes = {"progress": lambda *_: None, "stop": threading.Event()} | more
    return export_bundle(library, receipt, target, **wishes)  # type: ignore[arg-type]


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    before = sorted(folder.iterdir())
    yield
    assert sorted(folder.iterdir()) == before


def test_a_bundle_is_a_plain_tar_that_begins_with_its_manifest(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES, aliases=("mine",))
    told: list[tuple[str, int, int]] = []
    size = export(library, receipt, tmp_path / "m.tar", progress=lambda *one: told.append(one))

    assert (tmp_path / "m.tar").stat().st_size == size
    with tarfile.open(tmp_path / "m.tar", "r:") as tar:
        names = tar.getnames()
        assert names[:2] == ["thorp-bundle.json", "receipt.json"]
        assert names[-2:] == ["files/M-7B-Q8_0.gguf", "files/deep/er/config.json"]
        assert len([one for one in names if one.startswith("pieces/")]) == 2
        content = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    assert content["files/M-7B-Q8_0.gguf"] == FILES["M-7B-Q8_0.gguf"]
    assert parse_receipt(content["receipt.json"], "x").aliases == ()
    assert told[-1] == ("deep/er/config.json", 2, 2)


def test_the_same_model_makes_the_same_bundle(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    export(library, receipt, tmp_path / "one.tar")
    export(library, receipt, tmp_path / "two.tar")

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_what_is_there_is_replaced_only_when_asked_to(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    target = tmp_path / "m.tar"
    target.write_text("mine")

    with nothing_left(tmp_path), pytest.raises(FileTakenError):
        export(library, receipt, target)
    assert target.read_text() == "mine"
    export(library, receipt, target, overwrite=True)
    assert tarfile.is_tarfile(target)


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    target = tmp_path / "m.tar"

    with pytest.raises(FileTakenError):
        export(library, receipt, target, progress=lambda *_: target.write_text("mine"))
    assert target.read_text() == "mine"


@pytest.mark.parametrize("change", [b"Weights", b"weights!", b"weight"])
def test_C42_a_damaged_file_is_not_exported(tmp_path: Path, library: Library, change: bytes) -> None:
    receipt = an_artifact(library, files=FILES)
    blob = library.layout.blob(receipt.repo, digest_of(receipt.files[0].sha256))
    data = change + blob.read_bytes()[7:]
    blob.write_bytes(data)

    wanted = DamagedFileError if len(data) == receipt.files[0].size else NotThereError
    with nothing_left(tmp_path), pytest.raises(wanted, match="repair"):
        export(library, receipt, tmp_path / "m.tar")


def test_C43_a_blob_that_became_a_link_is_not_exported(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    blob = library.layout.blob(receipt.repo, digest_of(receipt.files[0].sha256))
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")

    with nothing_left(tmp_path), pytest.raises(NotThereError):
        export(library, receipt, tmp_path / "m.tar")


def test_C40_a_model_cannot_be_removed_while_it_is_exported(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    refused: list[bool] = []

    def meddle(*_: object) -> None:
        with pytest.raises(InUseError):
            remove(library, receipt)
        refused.append(True)

    export(library, receipt, tmp_path / "m.tar", progress=meddle)
    assert refused
    remove(library, receipt)
    with nothing_left(tmp_path), pytest.raises(GoneError):
        export(library, receipt, tmp_path / "n.tar")


def test_told_to_end_nothing_is_left(tmp_path: Path, library: Library) -> None:
    receipt = an_artifact(library, files=FILES)
    stop = threading.Event()

    with nothing_left(tmp_path), pytest.raises(HashingEndedError):
        export(library, receipt, tmp_path / "m.tar", progress=lambda *_: stop.set(), stop=stop)


def test_C37_a_stick_that_cannot_hold_large_files_is_told_in_plain_words(tmp_path: Path) -> None:
    def write(number: int) -> None:
        refused = FileFaultError("Cannot write")
        refused.__cause__ = OSError(number, os.strerror(number))
        with _file_size_told(tmp_path / "m.tar"):
            raise refused

    with pytest.raises(NoRoomError, match="exFAT"):
        write(errno.EFBIG)
    with pytest.raises(FileFaultError):
        write(errno.EIO)
