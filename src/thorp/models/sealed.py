"""Gives a proven file its household torrent, made of the piece hashes that are known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from thorp.base.files import DISK, explaining, write_atomically
from thorp.models.layout import Layout
from thorp.models.receipts import Receipt, ReceiptFile
from thorp.models.types import Format, SourceKind
from thorp.swarm.recipes import household_torrent


@dataclass(frozen=True, slots=True)
class Bytes:
    """What was proven of one file."""

    path: str
    size: int
    sha256: str
    pieces: bytes


def card_of(receipt: Receipt) -> dict[str, str]:
    """What a torrent says it is."""
    return card(receipt.format, receipt.model_id, receipt.revision, receipt.source.kind)


def card(format_: Format, model_id: str, revision: str, source: SourceKind) -> dict[str, str]:
    return {"format": format_.value, "model_id": model_id, "revision": revision, "source": source.value}


def sealed(layout: Layout, proven: Bytes, card_: Mapping[str, str], *, gated: bool, rides: bool = True) -> ReceiptFile:
    """The file for its receipt. Only what a hub gives to everybody rides a torrent, and what its owner published.

    Gated models never do, and an empty file has nothing to share.
    """
    if gated or not rides or not proven.size:
        return ReceiptFile(proven.path, proven.size, proven.sha256)
    torrent = household_torrent(PurePosixPath(proven.path).name, proven.size, proven.pieces, card=card_)
    at = layout.torrent(torrent.infohash)
    with explaining("write", at):
        at.parent.mkdir(0o700, parents=True, exist_ok=True)
    write_atomically(DISK, at, torrent.content)
    return ReceiptFile(proven.path, proven.size, proven.sha256, torrent.infohash.hex())
