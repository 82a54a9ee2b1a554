"""Hashes a file on disk: SHA-256 of the whole and SHA-1 of each 16 MiB piece, in one reading and on two threads."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from thorp.base.errors import TryAgainError
from thorp.models.ports import Stop
from thorp.swarm.recipes import PIECE

STEP: Final = 8 * 1024 * 1024
SMALL: Final = 1024 * 1024  # what is quicker without a second thread


class HashingEndedError(TryAgainError):
    """Reading a file was told to end before it was through."""

    code = "models.hashing_ended"


@dataclass(frozen=True, slots=True)
class Hashes:
    sha256: str
    git_sha1: str  # as git names a file of this content; empty when nobody asked
    pieces: bytes  # the SHA-1 of each 16 MiB, one after the other
    size: int  # how many bytes were read


class Pieces:
    """The SHA-1 of each piece of a stream of bytes, for pieces of any length."""

    def __init__(self, piece: int = PIECE) -> None:
        self._piece = piece
        self._done = bytearray()
        self._running = hashlib.sha1(usedforsecurity=False)
        self._room = piece

    def update(self, data: memoryview) -> None:
        while data:
            part = data[: self._room]
            self._running.update(part)
            self._room -= len(part)
            data = data[len(part) :]
            if not self._room:
                self._end_piece()

    def digest(self) -> bytes:
        if self._room < self._piece:
            self._end_piece()
        return bytes(self._done)

    def _end_piece(self) -> None:
        self._done += self._running.digest()
        self._running, self._room = hashlib.sha1(usedforsecurity=False), self._piece


def hash_file(handle: int, size: int, *, told: Callable[[int], None], stop: Stop, git: bool = False) -> Hashes:
    """The hashes of the first `size` bytes, or of fewer where the file ends before.

    Reads from where `handle` stands; `told` hears how many bytes are done. Fails with OSError as the system does.
    """
    whole = hashlib.sha256()
    named = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False) if git else None

    def rest(data: memoryview) -> None:
        whole.update(data)
        if named is not None:
            named.update(data)

    pieces = Pieces()
    done = _through(handle, size, (rest, pieces.update), told, stop)
    return Hashes(whole.hexdigest(), named.hexdigest() if named else "", pieces.digest(), done)


_Hashers = tuple[Callable[[memoryview], None], Callable[[memoryview], None]]


def _through(handle: int, size: int, hashers: _Hashers, told: Callable[[int], None], stop: Stop) -> int:
    """Hand every byte to both hashers; while they work on one buffer, the next one fills."""
    there, here = hashers
    step = max(1, min(STEP, size))
    buffers = memoryview(bytearray(step)), memoryview(bytearray(step))
    done, turn = 0, 0
    with ThreadPoolExecutor(1) as second:
        data = _filled(handle, buffers[turn][: size - done])
        while data:
            if stop.is_set():
                raise HashingEndedError("Reading was ended before it was through. Nothing was changed; run it again.")
            if len(data) > SMALL:
                behind = second.submit(there, data)
                here(data)
            else:
                behind = None
                there(data)
                here(data)
            done, turn = done + len(data), 1 - turn
            data = _filled(handle, buffers[turn][: size - done])
            if behind is not None:
                behind.result()
            told(done)
    return done


def _filled(handle: int, buffer: memoryview) -> memoryview:
    """As much as there is, so that the hashers get few and large pieces."""
    filled = 0
    while filled < len(buffer) and (count := os.readv(handle, [buffer[filled:]])):
        filled += count
    return buffer[:filled]
