"""Which torrents a model needs, and what becomes of them when it goes."""

import threading
from pathlib import Path

import pytest

from thorp.identity.keys import NodeKey
from thorp.models.layout import PUBLICATION
from thorp.models.library import Library
from thorp.models.named import named_torrents
from thorp.models.prune import Leftover, plan_prune
from thorp.models.publish import Publisher
from thorp.models.publish_plan import Kind, Terms
from thorp.models.receipts import Receipt
from thorp.models.remove import remove
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, an_artifact

FAR = 4e9  # a moment at which every leftover is an old one


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def published(library: Library, repo: str) -> Receipt:
    receipt = an_artifact(library, repo)
    publisher = Publisher(library, FakeClock(), lambda: NodeKey(bytes(32)))
    terms = Terms(public=True, license="mit", piece=1 << 16)
    return publisher.share(receipt, terms, Kind.REF, lambda *_: None, threading.Event()).receipt


def on_disk(library: Library) -> set[str]:
    return {one.stem for one in library.layout.torrents.glob("*.torrent")}


def test_receipt_and_manifest_name_them(library: Library) -> None:
    receipt = published(library, "org/repo")

    assert named_torrents(library, receipt) == on_disk(library)
    assert len(on_disk(library)) == 2


def test_a_manifest_that_cannot_be_read_names_nothing(library: Library) -> None:
    receipt = published(library, "org/repo")
    library.path(receipt).with_name(PUBLICATION).write_bytes(b"{")

    assert named_torrents(library, receipt) == {receipt.files[0].infohash}


def test_a_removed_model_takes_its_public_torrents_along(library: Library) -> None:
    remove(library, published(library, "org/repo"))

    assert on_disk(library) == set()


def test_what_another_model_still_hands_out_stays(library: Library) -> None:
    """The same file under the same name makes the same torrent, whoever has it."""
    one, other = published(library, "org/repo"), published(library, "org/other")
    assert named_torrents(library, one) == named_torrents(library, other)
    remove(library, one)

    assert on_disk(library) == named_torrents(library, other)


def test_pruning_leaves_public_torrents_alone(library: Library) -> None:
    published(library, "org/repo")
    plan = plan_prune(library, FAR, older_than=None, live=frozenset())

    assert [one for one in plan if one.what == Leftover.TORRENT] == []
