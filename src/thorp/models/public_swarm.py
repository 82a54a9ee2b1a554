"""What everybody may have of this node, and nobody is handed anything else: follows the publisher's word. Blocks."""

import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from thorp.base.files import DISK, read_bounded
from thorp.models.handing import Handing
from thorp.models.publish import PublicSeed
from thorp.models.share_desk import Seeding
from thorp.swarm.bencoded import LARGEST
from thorp.swarm.torrents import parse_torrent


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
    _handing: Handing[PublicSeed] = field(default_factory=Handing[PublicSeed])
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self) -> None:
        """Hand out exactly what is public now. What is not any more is cut when this returns."""
        with self._turn:
            if (engine := self.engine()) is None:
                self._handing.forget()
                return

            def seed(infohash: bytes, one: PublicSeed) -> None:
                torrent = parse_torrent(read_bounded(DISK, one.torrent, LARGEST), expected=infohash)
                engine.seed(torrent.content, one.at, dht=one.dht)

            self._handing.follow(engine, {one.infohash: one for one in self.seeds()}, seed)


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
