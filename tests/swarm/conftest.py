"""Engines on addresses of their own within loopback, files, and torrents with small pieces."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thorp.swarm.download import Download, Standing
from thorp.swarm.engine import Engine
from thorp.swarm.profile import Profile, household
from thorp.swarm.recipes import bencode

PIECE = 64 * 1024


class Swarm:
    """What the tests of the engine are made of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: list[Engine] = []

    def engine(self, address: str, *, open_to: tuple[str, ...] = (), profile: Profile | None = None) -> Engine:
        engine = Engine(profile or household((address,), 0))
        self.engines.append(engine)
        engine.open_to(open_to)
        engine.start()
        return engine

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    @staticmethod
    def data(pieces: int) -> bytes:
        """The last piece is a short one."""
        return os.urandom(pieces * PIECE - 5)

    @staticmethod
    def piece(data: bytes, piece: int) -> bytes:
        return data[piece * PIECE : (piece + 1) * PIECE]

    def torrent(self, data: bytes, **more: object) -> bytes:
        hashes = [
            hashlib.sha1(data[at : at + PIECE], usedforsecurity=False).digest() for at in range(0, len(data), PIECE)
        ]
        info = {
            "length": len(data),
            "name": "another-name.bin",
            "piece length": PIECE,
            "pieces": b"".join(hashes),
            "private": 1,
        }
        return bencode({"info": info, **more})

    @staticmethod
    def until(download: Download, reached: Callable[[Standing], bool]) -> Standing:
        """The first standing in which it is true; a test in which it never is ends by the fault handler."""
        while not reached(standing := download.standing()):
            download.wait(0.05)
        return standing

    def finish(self, download: Download) -> bytes:
        self.until(download, lambda standing: standing.finished)
        return download.close()

    @staticmethod
    def handshake(source: str, engine: Engine, address: str, infohash: bytes) -> socket.socket:
        """A stranger's own connection that says what a BitTorrent client says first."""
        line = socket.create_connection((address, engine.port), timeout=30, source_address=(source, 0))
        line.sendall(b"\x13BitTorrent protocol" + bytes(8) + infohash + b"-XX0001-abcdefghijkl")
        return line

    @staticmethod
    def answer(line: socket.socket) -> bytes:
        """What comes back first; nothing when the connection is cut."""
        try:
            return line.recv(68)
        except ConnectionError:
            return b""

    @staticmethod
    def is_cut(line: socket.socket) -> bool:
        """Reads to the end. A connection that stays open fails by its own timeout."""
        try:
            while line.recv(65536):
                pass
        except ConnectionError:
            pass
        return True


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Swarm]:
    made = Swarm(tmp_path)
    yield made
    for engine in made.engines:
        engine.stop()
