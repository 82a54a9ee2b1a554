"""Pieces that an engine lacks, fetched from elsewhere and handed to it: through our own guard, token and budget."""

import logging
import threading
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from thorp.base.errors import ThorpError
from thorp.models.budget import allowed, pay
from thorp.models.fetching import STEP, TICK, LineEndedError, Pace
from thorp.models.ports import ByteSource
from thorp.models.types import SourceKind, Wanted
from thorp.swarm.download import Standing
from thorp.swarm.recipes import SHA1
from thorp.swarm.torrents import ReadTorrent

log = logging.getLogger(__name__)
LOOK_AGAIN: Final = 0.3  # seconds
SILENCE: Final = 5.0  # seconds after which nothing is left for neighbours any more


class Takes(Protocol):
    def give(self, piece: int, data: bytes) -> None: ...


class Gaps:
    """Shared by as many threads as there are ranges."""

    def __init__(self, wanted: Wanted, torrent: ReadTorrent, sources: Sequence[ByteSource], pace: Pace) -> None:
        self._wanted = wanted
        self._torrent = torrent
        self._sources = sources
        self._first = 0  # whom to ask first: who answered last
        self._pace = pace
        self._count = len(torrent.pieces) // SHA1
        self._have: bytes = b""
        self._in_flight: frozenset[int] = frozenset()
        self._silence = SILENCE  # seconds for which neighbours have sent nothing
        self._theirs: int | None = None  # bytes that neighbours have sent
        self._asked: set[int] = set()
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._from: dict[int, str] = {}
        self.given: dict[int, SourceKind] = {}  # who sent a piece that did not come from neighbours by the engine
        self.came = 0
        self.failure: ThorpError | None = None  # nobody else can help

    def end(self) -> None:
        self._ends.set()

    def look(self, standing: Standing) -> None:
        with self._lock:
            self._have, self._in_flight = standing.have, standing.wanted
            first = self._theirs is None
            came = any(one.down for one in standing.peers) if first else standing.came != self._theirs
            self._silence, self._theirs = 0.0 if came else self._silence + TICK, standing.came

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come from neighbours for a while. Their rates say so much later."""
        return self._silence >= SILENCE

    def ours(self) -> frozenset[int]:
        """Pieces that neighbours need not send; none when there is hardly anything else that they could do."""
        with self._lock:
            missing = set(self._missing())
            last = len(missing - self._asked) <= 1  # an engine that wants nothing hangs up on them
            return frozenset() if last else frozenset(missing & self._asked)

    def refused(self, pieces: Collection[int]) -> str:
        """Who sent a piece that the engine refused; empty: nobody."""
        with self._lock:
            return next((self._from[one] for one in sorted(pieces) if one in self._from), "")

    def fill(self, engine: Takes) -> None:
        """Fetch what is missing, piece by piece, until told to end."""
        while self._sources and not self._ends.is_set():
            piece = self._next()
            if piece is None:
                self._ends.wait(LOOK_AGAIN)
            elif not self._brought(piece, engine):
                return

    def _next(self) -> int | None:
        """From the end, and what nobody is fetching first; while neighbours send, they keep what they are at."""
        with self._lock:
            free = [one for one in self._missing() if one not in self._asked]
            idle = [one for one in free if one not in self._in_flight]
            if self.is_silent:
                idle = idle or free
            elif len(free) == 1:
                return None
            if not idle:
                return None
            self._asked.add(idle[-1])
            return idle[-1]

    def _missing(self) -> list[int]:
        return [one for one in range(self._count) if not self._is_here(one)]

    def _length(self, piece: int) -> int:
        return min(self._torrent.piece_length, self._wanted.file.size - piece * self._torrent.piece_length)

    def _is_here(self, piece: int) -> bool:
        return piece < len(self._have) and bool(self._have[piece])

    def _brought(self, piece: int, engine: Takes) -> bool:
        first = self._first
        for failures, pause in enumerate((*self._pace.pauses, None)):
            turn = (first + failures) % len(self._sources)
            source = self._sources[turn]
            try:
                data = self._read(source, piece)
            except ThorpError as error:
                if self._ends.is_set():
                    return False
                log.info("piece %d of %s: %s", piece, self._wanted.file.path, error.message)
                if pause is None:
                    self.failure = error
                    return False
                self._ends.wait(pause)
                continue
            with self._lock:
                self._first = turn
                self.came += len(data)
                if self._is_here(piece):  # a neighbour was faster
                    return True
                self.given[piece], self._from[piece] = source.kind, source.detail
            return self._handed(piece, data, engine)
        return False

    def _handed(self, piece: int, data: bytes, engine: Takes) -> bool:
        try:
            engine.give(piece, data)
        except ThorpError as error:  # it is gone, or its disk takes no more: another source would not help
            self.failure = error
            return False
        return True

    def _read(self, source: ByteSource, piece: int) -> bytes:
        first = piece * self._torrent.piece_length
        data = bytearray(self._length(piece))
        rest = memoryview(data)
        with source.read(self._wanted, first, first + len(data), self._ends) as line:
            while rest:
                count = line.readinto(rest[: allowed(self._pace.budgets, STEP)])
                if not count:
                    raise LineEndedError(f"{source.detail} ended its answer before it was whole.")
                rest = rest[count:]
                pay(self._pace.budgets, count, self._ends)
        return bytes(data)
