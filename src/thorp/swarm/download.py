"""One file on its way in. Its peers are named by the caller, and pieces may also come from elsewhere."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from thorp.base.errors import TryAgainError
from thorp.swarm import native
from thorp.swarm.ledger import Board, Ledger
from thorp.swarm.native import GoneError, Read

if TYPE_CHECKING:
    import libtorrent

MOST_GIVEN: Final = 4  # pieces of ours that may wait for the disk; the next one waits outside
PATIENCE: Final = 30.0  # seconds for the disk
QUEUE_EVERY: Final = 2  # looks
LAST_PORT: Final = 65535
NO_PRIORITY: Final = 0
USUAL_PRIORITY: Final = 4
SOON, LATE = 7, 1  # as libtorrent counts: what is wanted soon comes before anything that is rarer


class SlowDiskError(TryAgainError):
    """The disk has not taken what it was given."""

    code = "swarm.slow_disk"


@dataclass(frozen=True, slots=True)
class PeerStanding:
    address: str
    port: int
    down: int  # bytes per second of the file itself
    up: int
    progress: float  # how much of the file it has, 0 to 1
    here: str = ""  # the address of this machine that it talks to


@dataclass(frozen=True, slots=True)
class Standing:
    checking: bool
    finished: bool
    done: int  # bytes, parts of pieces included
    have: bytes  # for each piece 0 or 1
    wanted: frozenset[int]  # pieces that peers are bringing
    peers: tuple[PeerStanding, ...]
    error: str  # why it stands still; empty: it does not
    errno: int  # of the system, where `error` came from there
    rejected: frozenset[int]  # given pieces whose bytes were wrong
    banned: frozenset[str]  # addresses that sent wrong bytes
    waiting: frozenset[int] = frozenset()  # pieces of `have` that are on their way to the disk, not on it
    came: int = 0  # bytes of the file that peers have sent so far, also what was of no use


class Download:
    """Made by `Engine.fetch`. Every method may be called from any thread, and none of them from the loop."""

    def __init__(
        self,
        torrent: Read,
        handle: "libtorrent.torrent_handle",
        board: Board,
        ledger: Ledger,
        leave: Callable[["Download"], bytes],
    ) -> None:
        self.infohash = torrent.infohash
        self.pieces = torrent.pieces
        self.handle = handle
        self._torrent = torrent
        self._board = board
        self.ledger = ledger
        self._leave = leave
        self._seen = 0
        self._has_peers = False
        self._looks = 0
        self._queue: frozenset[int] = frozenset()
        self._written: set[int] = set()
        self._left_out: frozenset[int] = frozenset()
        self._soon: frozenset[int] = frozenset()
        self.closed: bytes | None = None  # the pieces, after the engine has taken it out

    def add_peers(self, peers: Iterable[tuple[str, int]]) -> None:
        """Known ones are tried again; banned ones are not, and what is no address is passed over."""
        places = [one for one in peers if _is_place(*one) and one[0] not in self.ledger.banned]
        first = bool(places) and not self._has_peers and self.ledger.checked
        with native.asking(), native.at_once(self.handle) if first else nullcontext():
            for place in places:
                self.handle.connect_peer(place)
        self._has_peers = self._has_peers or bool(places)

    def limit(self, rate: int) -> None:
        """Bytes per second from peers; 0: none."""
        with native.asking():
            self.handle.set_download_limit(rate)

    def pause(self) -> None:
        """Peers are cut; given pieces are still taken."""
        with native.asking():
            self.handle.pause()

    def resume(self) -> None:
        with native.asking():
            self.handle.resume()

    def leave_out(self, pieces: Collection[int]) -> None:
        """Somebody else brings these: peers are asked for all others, and for these again once they are not named."""
        self._left_out = frozenset(pieces)
        self._wish()

    def prefer(self, pieces: Collection[int]) -> None:
        """Ask for these before all others; among them what is rare comes first. None: what is rare comes first."""
        self._soon = frozenset(pieces)
        self._wish()

    def _wish(self) -> None:
        with native.asking():
            self.handle.prioritize_pieces(wishes(self._torrent.pieces, self._left_out, self._soon))

    def give(self, piece: int, data: bytes) -> None:
        """Wrong bytes go nowhere and are told in `rejected`. Waits while the disk has enough to do."""
        if not self._is_right(piece, data):
            with self._board.held():
                self.ledger.rejected.add(piece)
            return
        if not self._board.wait(self._may_give, PATIENCE):
            raise SlowDiskError("The disk takes no more pieces. Look whether it is full or broken, and try again.")
        if self.ledger.error:
            return
        with native.asking():
            if self.handle.have_piece(piece):
                return
            with self._board.held():
                self.ledger.rejected.discard(piece)
                self.ledger.given.add(piece)
            self.handle.add_piece(piece, data, native.overwriting())

    def standing(self) -> Standing:
        with native.asking():
            status = native.downloading(self.handle)
            have = have_map(status, self._torrent)
            self._look_at_queue(have)
            peers = tuple(
                PeerStanding(
                    one.ip[0],
                    one.ip[1],
                    one.payload_down_speed,
                    one.payload_up_speed,
                    one.progress,
                    one.local_endpoint()[0],
                )
                for one in self.handle.get_peer_info()
            )
        with self._board.held():
            return Standing(
                checking=native.is_checking(status) or not (self.ledger.checked or self.ledger.error),
                finished=all(have),
                done=status.total_done,
                came=status.total_payload_download,
                have=have,
                wanted=frozenset(one for one in self._queue if not have[one]),
                peers=peers,
                error=self.ledger.error,
                errno=self.ledger.number,
                rejected=frozenset(self.ledger.rejected),
                banned=frozenset(self.ledger.banned),
                waiting=frozenset(one for one, here in enumerate(have) if here and one not in self._written),
            )

    def _look_at_queue(self, have: bytes) -> None:
        """What is right leaves the queue once it is on the disk; with the last piece the engine forgets the queue.

        Costs much, because it tells of every block: so only now and then.
        """
        self._looks += 1
        if self._looks % QUEUE_EVERY == 1 and not all(have):
            self._queue = frozenset(one["piece_index"] for one in self.handle.get_download_queue())
            self._written |= {one for one, here in enumerate(have) if here and one not in self._queue}

    def wait(self, seconds: float) -> None:
        """Until something happened since the last wait, or so long."""
        self._board.wait(lambda: self.ledger.news != self._seen or self.closed is not None, seconds)
        self._seen = self.ledger.news

    def close(self) -> bytes:
        """Take it out of the engine. What the answer claims lies on the disk, and the file is closed."""
        return self._leave(self)

    def final(self) -> bytes:
        """The pieces on the disk, after all that was under way is written. Peers are cut."""
        try:
            if not quiet(self.handle, self._board, self.ledger):
                raise SlowDiskError("The disk does not write what came in. Look whether it is full or broken.")
            with native.asking():
                return have_map(native.downloading(self.handle), self._torrent)
        except GoneError:
            return bytes(self._torrent.pieces)

    def _is_right(self, piece: int, data: bytes) -> bool:
        if not 0 <= piece < self._torrent.pieces or len(data) != self._torrent.piece_length(piece):
            return False
        return compare_digest(hashlib.sha1(data, usedforsecurity=False).digest(), self._torrent.piece_hash(piece))

    def _may_give(self) -> bool:
        ledger = self.ledger
        return bool(ledger.error) or (ledger.checked and len(ledger.given) < MOST_GIVEN)


def wishes(pieces: int, left_out: Collection[int], soon: Collection[int]) -> list[int]:
    """How much each piece is wanted, as libtorrent counts."""
    others = LATE if soon else USUAL_PRIORITY
    return [NO_PRIORITY if one in left_out else SOON if one in soon else others for one in range(pieces)]


def _is_place(address: str, port: int) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return 0 < port <= LAST_PORT


def have_map(status: "libtorrent.torrent_status", torrent: Read) -> bytes:
    found = bytes(status.pieces)
    return found if len(found) == torrent.pieces else bytes(torrent.pieces)


def quiet(handle: "libtorrent.torrent_handle", board: Board, ledger: Ledger) -> bool:
    """Cut the peers, write everything, close the file; whether the disk managed it in time."""
    before = ledger.flushed
    with native.asking():
        handle.pause()
        handle.flush_cache()
    return board.wait(lambda: ledger.flushed > before, PATIENCE)
