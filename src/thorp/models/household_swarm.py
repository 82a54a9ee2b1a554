"""The household's torrents: what this node hands out by them, and what it can fetch by them. Blocks.

What is handed out follows the library and its owner's wishes; nothing is decided here.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from thorp.base.errors import TryAgainError
from thorp.models.handing import Handing
from thorp.models.layout import digest_of
from thorp.models.offered import infohashes
from thorp.models.ports import Neighbours
from thorp.models.shared import Shared
from thorp.models.swarming import Download
from thorp.models.types import Wanted

MOST_DOUBTED: Final = 1024
MOST_TORRENTS: Final = 8  # fetched for one file: a list may name it under any number of infohashes

Peer = tuple[str, int]


class EngineGoneError(TryAgainError):
    """The engine was stopped in the middle."""

    code = "models.engine_gone"


class Engine(Protocol):
    """What moves the bytes."""

    def seed(self, torrent: bytes, at: Path) -> None: ...

    def unseed(self, infohash: bytes) -> None: ...

    def seeds(self) -> frozenset[bytes]: ...

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool] | None, *, in_order: bool = False) -> Download: ...


@dataclass(eq=False, slots=True)
class HouseholdSwarm:
    """Satisfies `Swarm`. `engine` answers None while none runs: then nothing goes this way."""

    engine: Callable[[], Engine | None]
    neighbours: Neighbours
    shared: Shared
    around: Callable[[], tuple[Peer, ...]]
    _doubted: dict[bytes, None] = field(default_factory=dict[bytes, None])
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _handing: Handing[Path] = field(default_factory=Handing[Path])
    _handed: frozenset[bytes] = frozenset()

    def torrents_for(self, wanted: Wanted) -> Iterator[bytes]:
        """The torrent that most neighbours have comes first, so that all who fetch the file meet in one.

        Each is fetched when it is asked for, and no more than a few.
        """
        if self.engine() is None or wanted.file.sha256 is None:
            return
        ranked = infohashes(self.neighbours.models(), wanted)
        for one in islice((one for one in ranked if digest_of(one) not in self._doubted), MOST_TORRENTS):
            if (torrent := self.neighbours.torrent(one)) is not None:
                yield torrent

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool], *, in_order: bool) -> Download:
        engine = self.engine()
        if engine is None:
            raise EngineGoneError("The swarm engine ended while a file was to be fetched.")
        return engine.fetch(torrent, at, have, in_order=in_order)

    def peers(self) -> tuple[Peer, ...]:
        return self.around()

    def doubt(self, infohash: bytes) -> None:
        if len(self._doubted) >= MOST_DOUBTED:
            self._doubted.clear()
        self._doubted[infohash] = None

    def handed(self) -> frozenset[bytes]:
        """What was handed out when somebody looked last. Blocks nobody."""
        return self._handed if self.engine() is not None else frozenset()

    def refresh(self) -> None:
        """Hand out exactly what members may have now."""
        with self._turn:
            if (engine := self.engine()) is None:
                self._handing.forget()
                return
            wanted = {digest_of(infohash): at for infohash, at in self.shared.seeds().items()}

            def seed(infohash: bytes, at: Path) -> None:
                engine.seed(self.shared.torrent_file(infohash), at)

            self._handing.follow(engine, wanted, seed)
            self._handed = engine.seeds()
