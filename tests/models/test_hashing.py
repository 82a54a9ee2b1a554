"""Hashing a file in one reading."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from thorp.models.hashing import SMALL, STEP, Hashes, HashingEndedError, Pieces, hash_file
from thorp.swarm.recipes import PIECE
from thorp.testing.library import git_name, piece_hashes


def hashed(path: Path, size: int, *, git: bool = True) -> tuple[Hashes, list[int]]:
    told: list[int] = []
    handle = os.open(path, os.O_RDONLY)
    try:
        return hash_file(handle, size, told=told.append, stop=threading.Event(), git=git), told
    finally:
        os.close(handle)


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, STEP, PIECE - 1, PIECE, PIECE + 1, PIECE * 2 + STEP + 7])
def test_all_hashes_are_those_of_the_bytes(tmp_path: Path, size: int) -> None:
    data = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    path = tmp_path / "file"
    path.write_bytes(data)

    found, told = hashed(path, size)

    assert found == Hashes(hashlib.sha256(data).hexdigest(), git_name(data), piece_hashes(data), size)
    assert told == sorted(told)
    assert told[-1:] == ([size] if size else [])


def test_no_more_than_wanted_is_read_and_fewer_are_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    longer, _ = hashed(path, 10)
    shorter, _ = hashed(path, 1000, git=False)

    assert (longer.size, longer.sha256) == (10, hashlib.sha256(b"x" * 10).hexdigest())
    assert (shorter.size, shorter.sha256, shorter.git_sha1) == (100, hashlib.sha256(b"x" * 100).hexdigest(), "")


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    path, stop = tmp_path / "file", threading.Event()
    path.write_bytes(bytes(STEP * 3))
    told: list[int] = []

    def tell(done: int) -> None:
        told.append(done)
        stop.set()

    handle = os.open(path, os.O_RDONLY)
    with pytest.raises(HashingEndedError):
        hash_file(handle, STEP * 3, told=tell, stop=stop)
    os.close(handle)

    assert told == [STEP]


def test_pieces_do_not_mind_how_bytes_come() -> None:
    data = bytes(range(256)) * (PIECE // 256) + b"rest"
    pieces = Pieces()
    for at in range(0, len(data), 5_000_011):
        pieces.update(memoryview(data)[at : at + 5_000_011])

    assert pieces.digest() == piece_hashes(data)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100])
def test_pieces_of_any_length(size: int) -> None:
    data = bytes(range(100))[:size]
    pieces = Pieces(16)
    for at in range(0, size, 7):
        pieces.update(memoryview(data)[at : at + 7])

    parts = [data[at : at + 16] for at in range(0, size, 16)]
    assert pieces.digest() == b"".join(piece_hashes(one) for one in parts)
