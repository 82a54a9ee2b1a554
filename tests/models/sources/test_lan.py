"""A neighbour as a source of one file."""

import threading
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour, around, receipt_of
from thorp.base.errors import NetworkError
from thorp.models.sources.lan import MOST, lan_sources
from thorp.models.types import RemoteFile, SourceKind, Wanted
from thorp.testing.clock import FakeRandomness

FILES = {"m.gguf": b"weights" * 100}


def wish(neighbour: object) -> Wanted:
    file = receipt_of(neighbour).files[0]  # type: ignore[arg-type]
    return Wanted("any/repo", "9" * 40, RemoteFile("renamed.gguf", file.size, file.sha256, file.sha256))


def test_bytes_are_asked_for_by_their_hash_under_whatever_name(tmp_path: Path) -> None:
    mia = a_neighbour(tmp_path, files=FILES)
    (source,) = lan_sources(around(mia), wish(mia), FakeRandomness())
    buffer = bytearray(7)
    with source.read(wish(mia), 7, 14, threading.Event()) as incoming:
        assert incoming.readinto(memoryview(buffer)) == 7

    assert buffer == b"weights"
    assert (source.kind, source.detail) == (SourceKind.LAN, "mia")
    with pytest.raises(ValueError, match="bytes 0 to"):
        source.read(wish(mia), 0, len(FILES["m.gguf"]) + 1, threading.Event())


def test_not_everybody_asks_the_same_one_first_and_nobody_asks_all(tmp_path: Path) -> None:
    every = [a_neighbour(tmp_path, f"n{number}", files=FILES) for number in range(MOST + 2)]
    firsts = {lan_sources(around(*every), wish(every[0]), FakeRandomness(seed))[0].name for seed in range(20)}

    assert len(firsts) > 1
    assert len(lan_sources(around(*every), wish(every[0]), FakeRandomness())) == MOST


def test_a_house_that_cannot_be_asked_has_no_neighbours(tmp_path: Path) -> None:
    mia = a_neighbour(tmp_path, files=FILES)
    house = around(mia)
    house.failure = NetworkError("the mesh is down")

    assert lan_sources(house, wish(mia), FakeRandomness()) == ()
    assert lan_sources(around(), wish(mia), FakeRandomness()) == ()
