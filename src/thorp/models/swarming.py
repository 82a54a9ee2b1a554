"""Fetches one file from all neighbours at once, by BitTorrent, and fills the gaps from elsewhere when they are slow.

The engine writes into the partial that any other transfer would write to; what it has is noted there like everything
else, so a pull may begin with neighbours and end without them, or the other way round. Everything here blocks.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from thorp.base.errors import IntegrityError
from thorp.models.budget import strictest
from thorp.models.clockwork import WITHOUT_PROGRESS, Clockwork, enough, patience
from thorp.models.fetching import SYNC_EVERY, TICK, Pace, told_to_end
from thorp.models.frontier import Frontier
from thorp.models.gaps import Gaps
from thorp.models.hashing import Hashes
from thorp.models.partial import Partial
from thorp.models.ports import ByteSource, Stop
from thorp.models.types import SourceKind, Wanted
from thorp.swarm.download import PeerStanding, Standing
from thorp.swarm.recipes import SHA1
from thorp.swarm.torrents import ReadTorrent, parse_torrent

log = logging.getLogger(__name__)
ALONE: Final = 30.0  # seconds after which the swarm is left where nobody else may be asked meanwhile
HEAD_START: Final = 1.0  # seconds for neighbours to begin before others do who help in any case
OTHER_THREADS: Final = 2  # one that hashes, one that syncs
AHEAD: Final = 8  # of one's own pieces, that are asked for first
ALONE_AHEAD: Final = 32  # while nobody else is known to fetch: who begins at the same moment should take others
PEERS_EVERY: Final = 2.0  # seconds between two looks at who is around


class DoubtedTorrentError(IntegrityError):
    """A torrent of a neighbour describes other bytes than the model's hash says."""

    code = "models.doubted_torrent"


class Download(Protocol):
    """One file on its way through the engine."""

    def add_peers(self, peers: Sequence[tuple[str, int]]) -> None: ...

    def limit(self, rate: int) -> None: ...

    def give(self, piece: int, data: bytes) -> None: ...

    def leave_out(self, pieces: Collection[int]) -> None: ...

    def prefer(self, pieces: Collection[int]) -> None: ...

    def standing(self) -> Standing: ...

    def wait(self, seconds: float) -> None: ...

    def close(self) -> bytes: ...


class Swarm(Protocol):
    """The neighbours, as far as bytes are concerned."""

    def torrents_for(self, wanted: Wanted) -> Iterator[bytes]:
        """Torrents that neighbours have for this very file, the one most of them have first; fetched one by one."""
        ...

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool], *, in_order: bool) -> Download: ...

    def peers(self) -> tuple[tuple[str, int], ...]:
        """Where neighbours take part, now."""
        ...

    def doubt(self, infohash: bytes) -> None:
        """It was used and led to wrong bytes; it is not offered again."""
        ...


def torrent_of(swarm: Swarm, wanted: Wanted) -> ReadTorrent | None:
    """The torrent to fetch a file by; None where no neighbour has one that fits."""
    for content in swarm.torrents_for(wanted):
        try:
            read = parse_torrent(content)
        except IntegrityError as error:
            log.info("a neighbour's torrent is passed over: %s", error.message)
            continue
        if read.private and read.length == wanted.file.size:
            return read
    return None


@dataclass(frozen=True, slots=True)
class Swarming:
    """What one transfer is made of. `helpers`: who else has the bytes."""

    wanted: Wanted
    partial: Partial
    swarm: Swarm
    torrent: ReadTorrent
    helpers: Sequence[ByteSource]
    pace: Pace
    stop: Stop


class SwarmFetch:
    """One file into one partial."""

    def __init__(self, given: Swarming) -> None:
        self._given = given
        self._wanted = given.wanted
        self._partial = given.partial
        self._swarm = given.swarm
        self._torrent = given.torrent
        self._pace = given.pace
        self._gaps = Gaps(given.wanted, given.torrent, given.helpers, given.pace)
        self._seen = bytearray(len(given.torrent.pieces) // SHA1)  # pieces that are noted already
        self._frontier = Frontier(given.wanted, given.partial, own_pieces=given.partial.blocks.bytes_here > 0)
        self._left_out: frozenset[int] = frozenset()
        self._soon: frozenset[int] = frozenset()
        self._peers: tuple[tuple[str, int], ...] = ()
        self._ticks = 0
        self._paid = 0  # bytes of neighbours
        self._syncing: Future[None] | None = None
        self._met = False  # peers may have sent something
        self.done = 0
        self.waits_for = ""

    def run(self, told: Callable[[], None]) -> Hashes | None:
        """All of it, hashed; None where the neighbours are gone and others have to go on. The partial is open."""
        self._begin()
        download = self._fetched()
        with ThreadPoolExecutor(self._pace.ranges + OTHER_THREADS, "swarm") as threads:
            hashing = threads.submit(self._frontier.run)
            try:
                whole = self._follow(download, threads, told)
            finally:
                self._gaps.end()
                wait(() if self._syncing is None else (self._syncing,))
                self._end(download)
            hashing.result()
            if whole and self._syncing is not None:
                self._syncing.result()
        return self._hashes() if whole else None

    def _fetched(self) -> Download:
        have, in_order = [bool(one) for one in self._seen], len(self._swarm.peers()) == 1
        try:
            return self._swarm.fetch(self._torrent.content, self._partial.data, have, in_order=in_order)
        except BaseException:  # no engine has written anything
            self._partial.in_engine = False
            self._partial.note()
            raise

    def _end(self, download: Download) -> None:
        """Note what lies on the disk for sure. Where the engine does not vouch for all it said, it is checked again."""
        try:
            final = download.close()
            self._note(final)
            self._forget_unfinished()
            self._partial.in_engine = any(
                seen and not here for seen, here in zip(self._seen, final.ljust(len(self._seen), b"\0"), strict=True)
            )
            self._partial.note()
        finally:  # or who hashes would wait for ever
            self._frontier.reach(self._contiguous(), ends=True)

    def _forget_unfinished(self) -> None:
        """Where a piece is not whole, peers may have written over what was here, and nobody has judged it."""
        length, size = self._torrent.piece_length, self._wanted.file.size
        for piece in range(len(self._seen)):
            if self._met and not self._seen[piece]:
                self._partial.forget(piece * length, min(size, (piece + 1) * length))

    def _begin(self) -> None:
        """Keep the torrent beside the bytes, so that they can be checked against it after a kill."""
        self._partial.keep_torrent(self._torrent.content)
        size, length = self._wanted.file.size, self._torrent.piece_length
        for piece in range(len(self._seen)):
            first = piece * length
            if all(run.here for run in self._partial.blocks.runs(first, min(size, first + length))):
                self._seen[piece] = 1
        self._partial.in_engine = True
        self._partial.note()
        self._frontier.reach(self._contiguous())

    def _follow(self, download: Download, threads: ThreadPoolExecutor, told: Callable[[], None]) -> bool:
        clockwork, since_peers, helped, elapsed = Clockwork(), PEERS_EVERY, False, 0.0
        while True:
            standing = download.standing()
            self._look(standing)
            told()
            if standing.finished:
                return True
            if self._given.stop.is_set():
                raise told_to_end()
            rate = strictest(self._pace.budgets)
            overdue = clockwork.tick(standing.done, TICK, enough(rate)) - patience(rate)
            if (peers := self._swarm.peers()) != self._peers or since_peers >= PEERS_EVERY:
                self._met = self._met or bool(peers)
                self._peers = peers
                download.add_peers(peers)
                download.limit(rate)
                since_peers = 0.0
            if self._pace.mix == "never" and overdue > ALONE - WITHOUT_PROGRESS:
                return False
            if not helped and self._others_may_join(overdue, elapsed):
                helped = True
                for _ in range(self._pace.ranges):
                    threads.submit(self._gaps.fill, download)
            if self._gaps.failure is not None and overdue > 0:
                return False
            self._divide(download, standing)
            self._sync(threads)
            download.wait(TICK)
            since_peers += TICK
            elapsed += TICK

    def _sync(self, threads: ThreadPoolExecutor) -> None:
        """Bring what came to the disk meanwhile, so that the end has not to wait for all of it."""
        self._ticks += 1
        if self._ticks % SYNC_EVERY == 0 and (self._syncing is None or self._syncing.done()):
            if self._syncing is not None:
                self._syncing.result()
            self._syncing = threads.submit(self._partial.sync)

    def _divide(self, download: Download, standing: Standing) -> None:
        """What others bring is not asked of neighbours, too; and what comes, comes roughly in order."""
        if (ours := self._gaps.ours()) != self._left_out:
            download.leave_out(ours)
            self._left_out = ours
        if (soon := next_ones(standing.have, ours, *turn_among(standing.peers))) != self._soon:
            download.prefer(soon)
            self._soon = soon

    def _others_may_join(self, overdue: float, elapsed: float) -> bool:
        if self._pace.mix == "always":
            return elapsed >= HEAD_START
        return self._pace.mix == "auto" and overdue >= 0

    def _look(self, standing: Standing) -> None:
        """Take over what the engine says."""
        if standing.error:
            raise IntegrityError(f"`{self._wanted.file.path}` cannot be fetched from neighbours: {standing.error}.")
        if doubtful := self._gaps.refused(standing.rejected):
            self._swarm.doubt(self._torrent.infohash)
            raise DoubtedTorrentError(
                f"What neighbours say about `{self._wanted.file.path}` does not fit what {doubtful} sent. "
                "Their torrent is not used.",
                path=self._wanted.file.path,
            )
        self._gaps.look(standing)
        self._met = self._met or bool(standing.peers)
        self._note(standing.have, standing.waiting)
        self.done = max(self._partial.blocks.bytes_here, min(standing.done, self._wanted.file.size))
        self._pay(standing.came)
        self.waits_for = "waits for neighbours" if self._gaps.is_silent and not self._gaps.came else ""
        self._partial.note()
        self._frontier.reach(self._contiguous())

    def _note(self, have: bytes, waiting: Collection[int] = ()) -> None:
        """Take over what is here, and can be read."""
        length, size = self._torrent.piece_length, self._wanted.file.size
        for piece in range(len(self._seen)):
            if piece < len(have) and have[piece] and not self._seen[piece] and piece not in waiting:
                self._seen[piece] = 1
                first, end = piece * length, min(size, (piece + 1) * length)
                kind = self._gaps.given.get(piece, SourceKind.LAN)
                self._partial.came(kind, first, end, end - first)

    def _pay(self, came: int) -> None:
        """What neighbours send counts at once, so that others who help have only what it leaves of a limit."""
        for budget in self._pace.budgets:
            budget.pay(came - self._paid)
        self._paid = came

    def _contiguous(self) -> int:
        """How many bytes are here without a gap."""
        gap = self._seen.find(0)
        return self._wanted.file.size if gap < 0 else min(self._wanted.file.size, gap * self._torrent.piece_length)

    def _hashes(self) -> Hashes:
        found = self._frontier.hashes(self._torrent.pieces)
        if found.sha256 == self._wanted.file.sha256 or self._wanted.file.sha256 is None:
            return found
        again = Frontier(self._wanted, self._partial, own_pieces=True)  # now that everything was flushed for sure
        again.reach(self._wanted.file.size, ends=True)
        again.run()
        return again.hashes(b"")


def turn_among(peers: Sequence[PeerStanding]) -> tuple[int, int]:
    """Which of those who fetch the same file we are, and how many they are: by address, so that all of them agree."""
    here = min((one.here for one in peers), default="")
    fetching = sorted({one.address for one in peers if one.progress < 1} | {here})
    return fetching.index(here), len(fetching)


def next_ones(have: bytes, left_out: Collection[int], turn: int, of: int) -> frozenset[int]:
    """What to ask for first: our own share of what is missing, from the front, so that hashing keeps up.

    Everybody takes another share from who has all of it; the rest comes from each other.
    """
    own = (piece for piece in range(turn, len(have), of) if not have[piece] and piece not in left_out)
    return frozenset(islice(own, AHEAD if of > 1 else ALONE_AHEAD))
