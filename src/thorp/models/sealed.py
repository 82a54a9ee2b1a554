"""Gives a proven file its household torrent, made of the piece hashes that are known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from thorp.base.files import DISK, explaining, write_atomically
from thorp.models.layout import Layout
from thorp.models.receipts import ReceiptFile
from thorp.swarm.recipes import household_torrent


@dataclass(frozen=True, slots=True)
class Bytes:
    """What was proven of one file."""

    path: str
    size: int
    sha256: str
    pieces: bytes


def sealed(layout: Layout, proven: Bytes, card: Mapping[str, str], *, gated: bool, rides: bool = True) -> ReceiptFile:
    """The file for its receipt. Only what a hub gives to everybody rides a torrent, and what its owner published.

    Gated models never do, and an empty file has nothing to share.
    """
    if gated or not rides or not proven.size:
        return ReceiptFile(proven.path, proven.size, proven.sha256)
    torrent = household_torrent(PurePosixPath(proven.path).name, proven.size, proven.pieces, card=card)
    at = layout.torrent(torrent.infohash)
    with explaining("write", at):
        at.parent.mkdir(0o700, parents=True, exist_ok=True)
    write_atomically(DISK, at, torrent.content)
    return ReceiptFile(proven.path, proven.size, proven.sha256, torrent.infohash.hex())
