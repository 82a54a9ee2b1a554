"""The tree of hashes of BitTorrent v2: SHA-256 of each 16 KiB, two and two hashed together up to one root.

Made while the bytes pass by. Nothing is kept of them but one hash for each piece.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 16 * 1024  # what one leaf covers
HASH: Final = 32
NOTHING: Final = bytes(HASH)  # the leaf where the file has ended already
PIECE: Final = 1024 * BLOCK  # the same 16 MiB as in `recipes`, which stands on this module


@dataclass(frozen=True, slots=True)
class Tree:
    """What a torrent says of it."""

    length: int
    piece: int
    root: bytes  # empty for an empty file
    layer: bytes  # the hash of each piece, one after the other; empty where the file is one piece or less


class Leaves:
    """Takes a file from its first byte to its last, in parts of any size."""

    def __init__(self, piece: int = PIECE) -> None:
        self._piece = piece
        self._length = 0
        self._layer = bytearray()
        self._leaves: list[bytes] = []  # of the piece that is being filled
        self._running = hashlib.sha256()  # the leaf that is being filled

    def update(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        begun = self._length % BLOCK
        self._length += len(view)
        if begun:
            view = self._complete(view, BLOCK - begun)
        whole = len(view) - len(view) % BLOCK
        for at in range(0, whole, BLOCK):
            self._add(hashlib.sha256(view[at : at + BLOCK]).digest())
        if rest := view[whole:]:
            self._running.update(rest)

    def digest(self) -> Tree:
        """Of everything so far; more may follow."""
        leaves = list(self._leaves)
        if self._length % BLOCK:
            leaves.append(self._running.digest())
        if not self._length:
            return Tree(0, self._piece, b"", b"")
        if self._length <= self._piece:
            root = bytes(self._layer) or root_of(leaves, NOTHING)
            return Tree(self._length, self._piece, root, b"")
        layer = bytes(self._layer) + (_root_of_piece(leaves, self._piece) if leaves else b"")
        return Tree(self._length, self._piece, root_of_layer(layer, self._piece), layer)

    def _complete(self, view: memoryview, missing: int) -> memoryview:
        """The part of `view` behind the leaf that was begun earlier."""
        self._running.update(view[:missing])
        if len(view) >= missing:
            self._add(self._running.digest())
            self._running = hashlib.sha256()
        return view[missing:]

    def _add(self, leaf: bytes) -> None:
        self._leaves.append(leaf)
        if len(self._leaves) * BLOCK == self._piece:
            self._layer += root_of(self._leaves, NOTHING)
            self._leaves = []


def root_of(hashes: Sequence[bytes], pad: bytes) -> bytes:
    """The top of the tree over these, filled up with `pad` to a power of two. There is at least one."""
    level = list(hashes)
    while len(level) > 1:
        if len(level) % 2:
            level.append(pad)
        level = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level), 2)]
        pad = hashlib.sha256(pad + pad).digest()
    return level[0]


def root_of_layer(layer: bytes, piece: int) -> bytes:
    """The root of a file of more than one piece, out of the hashes of its pieces."""
    hashes = [layer[at : at + HASH] for at in range(0, len(layer), HASH)]
    return root_of(hashes, _root_of_piece([NOTHING], piece))


def _root_of_piece(leaves: Sequence[bytes], piece: int) -> bytes:
    """The hash of a piece that the file may have left half empty."""
    top, pad, width = root_of(leaves, NOTHING), NOTHING, 1
    while width < len(leaves):
        pad, width = hashlib.sha256(pad + pad).digest(), width * 2
    while width * BLOCK < piece:
        top = hashlib.sha256(top + pad).digest()
        pad, width = hashlib.sha256(pad + pad).digest(), width * 2
    return top
