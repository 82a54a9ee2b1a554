"""Pieces that an engine lacks, fetched from elsewhere and handed to it: through our own guard, token and budget."""

import logging
import threading
from collections.abc import Collection, Sequence
from math import inf
from typing import Final, Protocol

from thorp.base.errors import IntegrityError, ThorpError
from thorp.models.budget import allowed, pay, strictest
from thorp.models.clockwork import Clockwork, enough, patience
from thorp.models.fetching import LONGEST_WAIT, STEP, TICK, LineEndedError, Pace
from thorp.models.ports import ByteSource
from thorp.models.types import SourceKind, Wanted
from thorp.swarm.download import Standing
from thorp.swarm.recipes import SHA1
from thorp.swarm.torrents import ReadTorrent

log = logging.getLogger(__name__)
LOOK_AGAIN: Final = 0.3  # seconds


class Takes(Protocol):
    def give(self, piece: int, data: bytes) -> None: ...


class Gaps:
    """Shared by as many threads as there are ranges."""

    def __init__(self, wanted: Wanted, torrent: ReadTorrent, sources: Sequence[ByteSource], pace: Pace) -> None:
        self._wanted = wanted
        self._torrent = torrent
        self._sources = tuple(sources)
        self._first = 0  # whom to ask first: who answered last
        self._pace = pace
        self._count = len(torrent.pieces) // SHA1
        self._have: bytes = b""
        self._in_flight: frozenset[int] = frozenset()
        self._theirs = Clockwork(inf)  # for how long neighbours have sent next to nothing
        self._looked = False
        self._asked: set[int] = set()
        self._again: set[int] = set()  # pieces that a neighbour sent wrong, and somebody else is to send
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._from: dict[int, ByteSource] = {}
        self.given: dict[int, SourceKind] = {}  # who sent a piece that did not come from neighbours by the engine
        self.came = 0
        self.failure: BaseException | None = None  # nobody else can help

    def end(self) -> None:
        self._ends.set()

    def look(self, standing: Standing) -> None:
        with self._lock:
            self._have, self._in_flight = standing.have, standing.wanted
            begun = self._theirs.quiet < inf  # until then any byte is a beginning
            self._theirs.tick(standing.came, TICK, enough(strictest(self._pace.budgets)) if begun else 1)
            if not self._looked and not any(one.down for one in standing.peers):
                self._theirs.quiet = inf
            self._looked = True

    @property
    def is_silent(self) -> bool:
        """Whether next to nothing has come from neighbours for a while. Their rates say so much later."""
        return self._theirs.quiet >= patience(strictest(self._pace.budgets))

    def ours(self) -> frozenset[int]:
        """Pieces that neighbours need not send; none when there is hardly anything else that they could do."""
        with self._lock:
            missing = set(self._missing())
            last = len(missing - self._asked) <= 1  # an engine that wants nothing hangs up on them
            return frozenset() if last else frozenset(missing & self._asked)

    def refused(self, pieces: Collection[int]) -> str:
        """Which hub sent a piece that the engine refused; empty: none did.

        A neighbour who did knows no better than the torrent: it is asked no more, and others for that piece.
        """
        with self._lock:
            sent = {one: self._from[one] for one in sorted(pieces) if one in self._from}
            for piece, source in sent.items():
                if piece in self._again:  # this may be about the bytes of before still; the next look is not
                    self._again.discard(piece)
                elif source.kind is not SourceKind.LAN:
                    return source.detail
                else:
                    self._leave(source)
                    del self._from[piece]
                    self.given.pop(piece, None)
                    self._asked.discard(piece)
                    self._again.add(piece)
        return ""

    def _leave(self, source: ByteSource) -> None:
        if source in self._sources:
            log.warning("%s sent a wrong piece of %s", source.detail, self._wanted.file.path)
            self._sources, self._first = tuple(one for one in self._sources if one is not source), 0
        if not self._sources and self.failure is None:
            self.failure = IntegrityError(
                f"Everybody who was asked for pieces of `{self._wanted.file.path}` sent wrong ones."
            )

    def fill(self, engine: Takes) -> None:
        """Fetch what is missing, piece by piece, until told to end."""
        while self._sources and not self._ends.is_set():
            piece = self._next()
            if piece is None:
                self._ends.wait(LOOK_AGAIN)
                continue
            going_on = False
            try:
                going_on = self._brought(piece, engine)
            except BaseException as error:  # or who follows this would wait for a thread that is gone
                log.exception("nobody fetches pieces of %s any more", self._wanted.file.path)
                self.failure = error
                raise
            finally:
                if not going_on:  # by nobody here: whoever can may bring it
                    with self._lock:
                        self._asked.discard(piece)
            if not going_on:
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
            if not (sources := self._sources):
                break
            turn = (first + failures) % len(sources)
            source = sources[turn]
            try:
                data = self._read(source, piece)
            except ThorpError as error:
                if self._ends.is_set():
                    break
                log.info("piece %d of %s: %s", piece, self._wanted.file.path, error.message)
                asked = error.retry_after or 0.0
                if pause is None or asked > LONGEST_WAIT:
                    self.failure = error
                    break
                self._ends.wait(max(pause, asked))
                continue
            return self._handed(piece, data, engine, source) if self._wanted_still(piece, source, len(data)) else True
        return False

    def _wanted_still(self, piece: int, source: ByteSource, count: int) -> bool:
        with self._lock:
            self.came += count
            if self._is_here(piece):  # a neighbour was faster
                return False
            if source not in self._sources:  # it was found out meanwhile
                self._asked.discard(piece)
                return False
            self._first = self._sources.index(source)
            self.given[piece] = source.kind
            return True

    def _handed(self, piece: int, data: bytes, engine: Takes, source: ByteSource) -> bool:
        try:
            engine.give(piece, data)
        except ThorpError as error:  # it is gone, or its disk takes no more: another source would not help
            self.failure = error
            return False
        with self._lock:
            self._from[piece] = source  # from here on what the engine says of the piece is about these bytes
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
