"""Neighbours out of other homes of a test: what they list is what those libraries really show, until one shall lie."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from thorp.base.errors import NetworkError, NotFoundError
from thorp.models.neighbours import offers_of
from thorp.models.ports import Incoming, Stop
from thorp.models.shared import Shared
from thorp.models.types import Offered, SourceKind
from thorp.testing.sources import FakeSource, Mishap, wanted_of
from thorp.wire.capabilities.sharing import NeighbourModels
from thorp.wire.shared import SharedModel

Span = tuple[int, int]


@dataclass(eq=False)
class FakeNeighbour:
    """One other node, and how it is not what it should be."""

    name: str
    shared: Shared
    says: Callable[[SharedModel], SharedModel] = lambda model: model
    sends: Callable[[bytes], bytes] = lambda data: data
    mishaps: list[Mishap] = field(default_factory=list[Mishap])
    away: bool = False  # it is listed still, and does not answer
    given: list[Span] = field(default_factory=list[Span])

    @property
    def node(self) -> str:
        return f"ed25519:{self.name}"

    def offers(self) -> tuple[Offered, ...]:
        models = tuple(map(self.says, self.shared.models()))
        return tuple(offers_of(NeighbourModels(node=self.node, name=self.name, models=models)))

    @property
    def bytes_given(self) -> int:
        return sum(end - first for first, end in self.given)


@dataclass(eq=False)
class FakeNeighbours:
    """Satisfies `Neighbours`."""

    every: list[FakeNeighbour] = field(default_factory=list[FakeNeighbour])
    known: bool = True
    failure: NetworkError | None = None

    def models(self) -> tuple[Offered, ...]:
        if self.failure is not None:
            raise self.failure
        return tuple(offer for one in self.every for offer in one.offers())

    def torrent(self, infohash: str) -> bytes | None:
        for one in self.every:
            try:
                return one.shared.torrent(infohash)
            except NotFoundError:
                continue
        return None

    @contextmanager
    def read(self, node: str, sha256: str, first: int, end: int, stop: Stop) -> Generator[Incoming]:
        neighbour = next(one for one in self.every if one.node == node)
        if neighbour.away:
            raise NetworkError(f"{neighbour.name} does not answer.")
        blob = neighbour.shared.blob(sha256)
        if not blob.shareable:
            raise NotFoundError(f"{neighbour.name} does not give it.")
        data = neighbour.sends(Path(blob.path).read_bytes())
        source = FakeSource(data, SourceKind.LAN, neighbour.name, neighbour.mishaps)
        try:
            with source.read(wanted_of(data), first, end, stop) as incoming:
                yield incoming
        finally:
            neighbour.given += source.given
