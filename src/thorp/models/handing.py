"""Lets an engine hand out exactly what is wanted, whatever it handed out before. Blocks."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from thorp.base.errors import ThorpError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Engine(Protocol):
    """What moves the bytes."""

    def unseed(self, infohash: bytes) -> None: ...

    def seeds(self) -> frozenset[bytes]: ...


@dataclass(eq=False, slots=True)
class Handing(Generic[T]):
    """Remembers of each seed what it was begun with: a broken one is not among what an engine says it has."""

    _begun: dict[bytes, T] = field(default_factory=dict[bytes, T])

    def forget(self) -> None:
        """There is no engine any more."""
        self._begun.clear()

    def follow(self, engine: Engine, wanted: Mapping[bytes, T], seed: Callable[[bytes, T], None]) -> None:
        """What is not wanted any more, or in another way, is cut first. What cannot be begun keeps back no other."""
        for infohash in engine.seeds() | self._begun.keys():
            if infohash not in wanted or wanted[infohash] != self._begun.get(infohash):
                engine.unseed(infohash)
                self._begun.pop(infohash, None)
        running = engine.seeds()
        for infohash, one in wanted.items():
            if infohash not in running:
                self._begun[infohash] = one
                try:
                    seed(infohash, one)
                except (ThorpError, OSError) as error:
                    log.warning("%s is not handed out: %s", infohash.hex(), error)
