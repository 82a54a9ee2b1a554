"""The neighbours of a test list what their libraries show, and give what they list."""

import threading
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour, around, receipt_of, sealed_as
from thorp.base.errors import NetworkError, NotFoundError
from thorp.testing.sources import Mishap

FILES = {"m.gguf": b"weights" * 10}


def test_they_give_what_they_list_and_remember_it(tmp_path: Path) -> None:
    mia = a_neighbour(tmp_path, files=FILES)
    house = around(mia)
    (offer,) = house.models()
    buffer = bytearray(7)
    with house.read(offer.node, offer.files[0].sha256, 0, 7, threading.Event()) as incoming:
        assert incoming.readinto(memoryview(buffer)) == 7

    assert (bytes(buffer), mia.given, mia.bytes_given) == (b"weights", [(0, 7)], 7)


def test_they_fail_as_they_are_told_to(tmp_path: Path) -> None:
    mia = a_neighbour(tmp_path, files=FILES)
    house, sha256 = around(mia), receipt_of(mia).files[0].sha256
    mia.mishaps = [Mishap(NetworkError("a mishap"))]
    with pytest.raises(NetworkError, match="a mishap"), house.read(mia.node, sha256, 0, 7, threading.Event()):
        pass
    mia.away = True
    with pytest.raises(NetworkError), house.read(mia.node, sha256, 0, 7, threading.Event()):
        pass
    house.failure = NetworkError("no mesh")
    with pytest.raises(NetworkError):
        house.models()
    closed = a_neighbour(tmp_path, "tom", FILES, household=False)
    with pytest.raises(NotFoundError), around(closed).read(closed.node, sha256, 0, 7, threading.Event()):
        pass


def test_torrents_come_from_who_has_them(tmp_path: Path) -> None:
    mia, tom = a_neighbour(tmp_path, "mia", FILES), a_neighbour(tmp_path, "tom", FILES)
    changed = sealed_as(tom.shared.library, receipt_of(tom))
    tom.shared.library.path(changed).with_name("publication.json").write_text("{}")

    assert around(mia, tom).torrent("d" * 40) == b"d4:infodee"
    assert around(mia).torrent("d" * 40) is None
