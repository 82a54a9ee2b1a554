"""One neighbour as a source of the bytes of one file."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from thorp.base.clock import Randomness
from thorp.base.errors import ThorpError
from thorp.models.offered import holders
from thorp.models.ports import Incoming, NeighbourBytes, Neighbours, Stop
from thorp.models.types import SourceKind, Wanted

MOST = 8  # neighbours that are asked for one file


@dataclass(frozen=True, slots=True, eq=False)
class LanSource:
    """Satisfies `ByteSource`. The bytes are asked for by their SHA-256, under whatever name the neighbour has them."""

    neighbours: NeighbourBytes
    node: str
    name: str
    sha256: str

    @property
    def kind(self) -> SourceKind:
        return SourceKind.LAN

    @property
    def detail(self) -> str:
        return self.name

    def read(self, wanted: Wanted, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        if not 0 <= first <= end <= wanted.file.size:
            raise ValueError(f"bytes {first} to {end} of {wanted.file.size}")
        return self.neighbours.read(self.node, self.sha256, first, end, stop)


def lan_sources(neighbours: Neighbours, wanted: Wanted, randomness: Randomness) -> tuple[LanSource, ...]:
    """Everybody around who says that they have a file, beginning anywhere, so that not all ask the same one first.

    Neighbours are a help: when nobody can say who is around, there are none.
    """
    try:
        offers = neighbours.models()
    except ThorpError:
        return ()
    found = tuple(LanSource(neighbours, one.node, one.name, file.sha256) for one, file in holders(offers, wanted))
    at = randomness.below(len(found)) if found else 0
    return (*found[at:], *found[:at])[:MOST]
