"""What everybody may have of this node, and nobody is handed anything else: follows the publisher's word. Blocks."""

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from thorp.base.errors import ThorpError
from thorp.base.files import DISK, read_bounded
from thorp.models.publish import PublicSeed
from thorp.models.share_desk import Seeding
from thorp.swarm.bencoded import LARGEST
from thorp.swarm.torrents import parse_torrent

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What moves the bytes."""

    def seed(self, torrent: bytes, at: Path, *, dht: bool = True) -> None: ...

    def unseed(self, infohash: bytes) -> None: ...

    def seeds(self) -> frozenset[bytes]: ...


@dataclass(eq=False, slots=True)
class PublicSwarm:
    """Satisfies `Seeding`. `engine` answers None while nothing goes to everybody."""

    engine: Callable[[], Engine | None]
    seeds: Callable[[], Collection[PublicSeed]]
    _as_it_is: dict[bytes, PublicSeed] = field(default_factory=dict[bytes, PublicSeed])
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self) -> None:
        """Hand out exactly what is public now. What is not any more is cut when this returns."""
        with self._turn:
            if (engine := self.engine()) is None:
                self._as_it_is.clear()
                return
            wanted = {one.infohash: one for one in self.seeds()}
            for infohash in engine.seeds() | self._as_it_is.keys():
                if wanted.get(infohash) != self._as_it_is.get(infohash):
                    engine.unseed(infohash)
            running = engine.seeds()
            for one in wanted.values():
                if one.infohash not in running:
                    self._seed(engine, one)
            self._as_it_is = wanted

    def _seed(self, engine: Engine, one: PublicSeed) -> None:
        try:
            torrent = parse_torrent(read_bounded(DISK, one.torrent, LARGEST), expected=one.infohash)
            engine.seed(torrent.content, one.at, dht=one.dht)
        except ThorpError as error:
            log.warning("%s is not handed out to everybody: %s", one.at.name, error.message)


@dataclass(frozen=True, slots=True)
class Everywhere:
    """All ways by which bytes leave this node. None is left out because another one failed."""

    ways: tuple[Seeding, ...]

    def refresh(self) -> None:
        with ExitStack() as stack:
            for one in reversed(self.ways):
                stack.callback(one.refresh)


@dataclass(eq=False, slots=True)
class Lines:
    """Satisfies `Seeding` for what members are just being given over their own lines: who gives asks again."""

    looks: int = 0  # grows whenever what is shared may have changed

    def refresh(self) -> None:
        self.looks += 1
