"""What somebody found by reading every byte counts until somebody finds otherwise."""

import threading
from pathlib import Path

import pytest

from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.models.remove import remove
from thorp.models.rows import row_data
from thorp.models.verify import verify
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, an_artifact


def looked_at(library: Library, receipt: Receipt) -> bool:
    found = verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
    return all(one.ok for one in found)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def test_C42_what_verify_found_is_seen_in_every_list_and_by_every_pull(library: Library) -> None:
    receipt = an_artifact(library)
    blob = library.cache.find(receipt.repo, receipt.revision, receipt.files[0])
    assert blob
    whole = blob.read_bytes()
    assert row_data(library.state(receipt))["state"] == "complete"

    blob.chmod(0o600)
    blob.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert not looked_at(library, receipt)

    damaged = library.state(receipt)
    assert not damaged.complete
    assert row_data(damaged)["state"] == "damaged"
    assert f"`thorp models repair {receipt.model_id}`" in row_data(damaged)["reason"]

    blob.write_bytes(whole)
    assert looked_at(library, receipt)
    assert row_data(library.state(receipt))["state"] == "complete"


def test_a_missing_file_is_missing_whatever_was_found_before(library: Library) -> None:
    receipt = an_artifact(library)
    library.note_damage(receipt, damaged=True)
    blob = library.cache.find(receipt.repo, receipt.revision, receipt.files[0])
    assert blob

    blob.unlink()

    assert row_data(library.state(receipt))["state"] == "missing"


def test_the_finding_goes_with_the_model(library: Library) -> None:
    receipt = an_artifact(library)
    library.note_damage(receipt, damaged=True)

    remove(library, receipt)

    assert not library.path(receipt).parent.exists()
