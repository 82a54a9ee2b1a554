"""Homes beside the one that a test is about, each with a model, as neighbours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.models.pulling import FILE, MIB, REPO, a_model
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.models.shared import Shared
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, an_artifact
from thorp.testing.neighbours import FakeNeighbour, FakeNeighbours
from thorp.wire.shared import SharedModel

SIZE = 9 * MIB


def a_neighbour(
    top: Path,
    name: str = "mia",
    files: dict[str, bytes] | None = None,
    repo: str = REPO,
    *,
    household: bool = True,
    **more: Any,
) -> FakeNeighbour:
    """Another home with one model in its library."""
    library = a_library(top / name)
    given = files if files is not None else {FILE: a_model(top / "made" / name, SIZE).read_bytes()}
    more = {"model_id": "tiny:1b:base:q4_k_m", "quant": "q4_k_m"} | more
    an_artifact(library, repo, given, **more)
    return FakeNeighbour(name, Shared(library, FakeClock(), lambda: household))


def receipt_of(neighbour: FakeNeighbour) -> Receipt:
    return neighbour.shared.library.receipts()[0]


def around(*neighbours: FakeNeighbour) -> FakeNeighbours:
    return FakeNeighbours(list(neighbours))


def lying(model: SharedModel) -> SharedModel:
    """The same model with other hashes."""
    files = tuple(one.model_copy(update={"sha256": "e" * 64, "blob": "e" * 64}) for one in model.files)
    return model.model_copy(update={"files": files})


def sealed_as(library: Library, receipt: Receipt, infohash: str = "d" * 40, content: bytes = b"d4:infodee") -> Receipt:
    """A receipt whose first file has a torrent."""
    first, *rest = receipt.files
    changed = replace(receipt, files=(replace(first, infohash=infohash), *rest))
    library.layout.torrents.mkdir(parents=True, exist_ok=True)
    library.layout.torrent(digest_of(infohash)).write_bytes(content)
    library.put(changed)
    return changed
