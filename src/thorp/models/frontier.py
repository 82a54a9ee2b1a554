"""Hashes a file as far as it is here without a gap, while the rest comes."""

import threading
from typing import Final

from thorp.models.fetching import Whole
from thorp.models.hashing import Hashes, Pieces
from thorp.models.partial import Partial
from thorp.models.types import Wanted

STEP: Final = 512 * 1024  # bytes hashed at once: what was just read is still near the processor


class Frontier:
    """One thread is in `run`; others say how far it may go."""

    def __init__(self, wanted: Wanted, partial: Partial, *, own_pieces: bool) -> None:
        self._partial = partial
        self._size = wanted.file.size
        self._whole = Whole(self._size, git=wanted.file.named_by_git)
        self._pieces = Pieces() if own_pieces else None
        self._changed = threading.Condition()
        self._reached = 0
        self._ends = False

    def reach(self, count: int, *, ends: bool = False) -> None:
        with self._changed:
            self._reached = max(self._reached, count)
            self._ends = self._ends or ends
            self._changed.notify_all()

    def run(self) -> None:
        at, buffer = 0, memoryview(bytearray(min(STEP, max(1, self._size))))
        while at < self._size:
            with self._changed:
                self._changed.wait_for(lambda at=at: self._reached > at or self._ends)
                reached = self._reached
            if reached <= at:
                return  # it ends before it is whole
            while at < reached:
                part = buffer[: min(len(buffer), reached - at)]
                self._partial.read(part, at)
                self._whole.update(part)
                if self._pieces is not None:
                    self._pieces.update(part)
                at += len(part)

    def hashes(self, pieces: bytes) -> Hashes:
        own = self._pieces.digest() if self._pieces is not None else pieces
        return Hashes(*self._whole.digests(), own, self._size)
