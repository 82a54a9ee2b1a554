"""Where each megabyte of a file on its way came from, so that it can be drawn piece by piece."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, cast

from thorp.models.types import SourceKind

LETTERS: Final[Mapping[SourceKind, str]] = MappingProxyType(
    {SourceKind.HUB: "h", SourceKind.LAN: "l", SourceKind.SWARM: "s"}
)
BEFORE: Final = "o"  # it was here before anybody counted
MISSING: Final = "."
KNOWN: Final = frozenset((*LETTERS.values(), BEFORE, MISSING))
MOST_CELLS: Final = 512
PER_CELL: Final = 16  # blocks: one piece of a torrent


@dataclass(eq=False, slots=True)
class Origins:
    """One letter for each block."""

    count: int
    letters: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.letters = [MISSING] * self.count

    def came(self, kind: SourceKind, first: int, end: int) -> None:
        """Blocks from `first` up to `end` are here from there."""
        self.letters[first:end] = [LETTERS.get(kind, BEFORE)] * len(self.letters[first:end])

    def forget(self) -> None:
        self.letters[:] = [MISSING] * self.count

    def drawn(self, here: bytes | bytearray) -> str:
        """One letter for each piece, or for several where there are too many; a piece in the middle is missing yet."""
        each = max(PER_CELL, -(-self.count // MOST_CELLS))
        return "".join(self._cell(here, at, min(self.count, at + each)) for at in range(0, self.count, each))

    def _cell(self, here: bytes | bytearray, first: int, end: int) -> str:
        if here.count(0, first, end):
            return MISSING
        letter = Counter(self.letters[first:end]).most_common(1)[0][0]
        return BEFORE if letter == MISSING else letter

    def spans(self) -> list[list[Any]]:
        """The same in few words: `[how many, letter]`, one after the other."""
        return [[len(list(run)), letter] for letter, run in groupby(self.letters)]

    def restore(self, spans: object) -> None:
        """Take over what `spans` once said; what does not fit is passed over."""
        read: list[str] = []
        for span in cast("list[Any]", spans) if isinstance(spans, list) else []:
            match span:
                case [int() as many, str() as letter] if 0 < many <= self.count and letter in KNOWN:
                    read += [letter] * many
                case _:
                    return
            if len(read) > self.count:
                return
        self.letters[: len(read)] = read
