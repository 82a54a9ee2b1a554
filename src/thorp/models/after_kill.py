"""What may be believed of a partial that an engine was writing to when its process died."""

import hashlib
import os
from collections.abc import Generator
from typing import Final

from thorp.base.errors import IntegrityError
from thorp.models.fetching import told_to_end
from thorp.models.partial import TORRENT, Partial
from thorp.models.ports import Stop
from thorp.swarm.recipes import PIECE, SHA1
from thorp.swarm.torrents import ReadTorrent, parse_torrent

CHECKED_WHOLE: Final = 4 * 1024 * 1024 * 1024  # smaller files are read again after a kill; larger ones are believed


def check_again(partial: Partial, stop: Stop) -> None:
    """Only the pieces that fit the torrent beside it. The partial is open; who stops this finds it as it was."""
    if not partial.in_engine:
        return
    right = tuple(_right_pieces(partial, stop) if partial.blocks.size < CHECKED_WHOLE else _whole_pieces(partial))
    partial.forget(0, partial.blocks.size)
    for first, end in right:
        partial.blocks.mark(first, end)
    partial.in_engine = False
    partial.note()  # or the next kill, before anything came, would have all of it checked again


def _whole_pieces(partial: Partial) -> Generator[tuple[int, int]]:
    """An engine judged these. Over what lies here of the others peers may have written, and nobody judged that."""
    size = partial.blocks.size
    for first in range(0, size, PIECE):
        end = min(size, first + PIECE)
        if all(run.here for run in partial.blocks.runs(first, end)):
            yield first, end


def _right_pieces(partial: Partial, stop: Stop) -> Generator[tuple[int, int]]:
    torrent = _kept_torrent(partial)
    if torrent is None or torrent.length != partial.blocks.size:
        return
    for piece in range(len(torrent.pieces) // SHA1):
        if stop.is_set():
            raise told_to_end()
        first = piece * torrent.piece_length
        end = min(torrent.length, first + torrent.piece_length)
        if is_written(partial.handle, first, end):
            data = bytearray(end - first)
            partial.read(memoryview(data), first)
            if hashlib.sha1(data, usedforsecurity=False).digest() == torrent.pieces[piece * SHA1 : (piece + 1) * SHA1]:
                yield first, end


def _kept_torrent(partial: Partial) -> ReadTorrent | None:
    try:
        return parse_torrent((partial.folder / TORRENT).read_bytes())
    except (OSError, IntegrityError):
        return None


def is_written(handle: int, first: int, end: int) -> bool:
    """Whether anything was ever written there; what was not need not be read."""
    try:
        return os.lseek(handle, first, os.SEEK_DATA) < end
    except OSError:  # a hole up to the end
        return False
