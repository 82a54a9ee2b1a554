"""The BitTorrent engine: one session of libtorrent with its threads, behind calls that block and never run in the loop.

It hands bytes to nobody the gate does not know, and writes to no path but those it is given.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Final

from thorp.base.errors import ConflictError, NotFoundError, ThorpError
from thorp.base.files import explaining
from thorp.swarm import native
from thorp.swarm.download import Download, quiet
from thorp.swarm.events import PeerBanned, event_of
from thorp.swarm.gate import Gate
from thorp.swarm.ledger import Board, Ledger
from thorp.swarm.native import GoneError, Order, Read, UnreadableTorrentError
from thorp.swarm.profile import Profile, bound_to, interfaces

if TYPE_CHECKING:
    import libtorrent

log = logging.getLogger(__name__)
PULSE: Final = 250  # milliseconds the pump waits for news before it looks whether it has to end
PATIENCE: Final = 10.0  # seconds for a socket to open, a torrent to leave, a thread to end


class CannotListenError(ConflictError):
    """An address or port that the engine should listen on is taken or not there."""

    code = "swarm.cannot_listen"


class MovingError(ConflictError):
    """The same torrent is already coming in, or going out from somewhere else."""

    code = "swarm.already_moving"


class NoFileError(NotFoundError):
    """The file to be shared is not there, or has another length."""

    code = "swarm.no_file"


@dataclass(frozen=True, slots=True)
class Traffic:
    down: int  # bytes of files since the start
    up: int
    peers: int
    uploads: Mapping[bytes, int]  # infohash of each torrent in the engine: bytes that went out


@dataclass(frozen=True, slots=True)
class Seed:
    at: Path
    handle: "libtorrent.torrent_handle"
    ledger: Ledger


class Engine:
    """Every method may be called from any thread."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._lock = RLock()
        self._board = Board()
        self._gate = Gate(profile)
        self._over = Event()
        self._session: libtorrent.session | None = None
        self._pump: Thread | None = None
        self._seeds: dict[bytes, Seed] = {}
        self._downloads: dict[bytes, Download] = {}
        self.port = 0  # really bound, after `start`; 0: it listens nowhere
        self.trouble = ""  # the addresses it should listen on and cannot, and why

    def start(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            session = self._session = native.open_session(self._profile)
            self._gate.begin(session)
            self._over.clear()
            self._pump = Thread(target=self._listen_to, args=(session,), name="thorp-swarm", daemon=True)
            self._pump.start()
            try:
                self.listen_on(self._profile.listen)
            except CannotListenError:
                self.stop()
                raise

    def stop(self) -> None:
        """Everything that came in is written, then the threads end."""
        with self._lock:
            if self._session is None:
                return
            for download in tuple(self._downloads.values()):
                try:
                    download.close()
                except ThorpError as error:  # who fetches is told the same
                    log.warning("a transfer did not end in order: %s", error.message)
            self._over.set()
            if self._pump is not None:
                self._pump.join(PATIENCE)
            self._gate.end()
            self._seeds.clear()
            self._session = self._pump = None
            self._board = Board()
            self.port, self.trouble = 0, ""

    def listen_on(self, addresses: Sequence[str]) -> None:
        """On these and no other addresses, all with the one port. For interfaces that come and go.

        Some that it cannot have are its `trouble`, until a later call gets them; an error is when it gets none at all.
        """
        with self._lock:
            session = self._running()
            port = self.port or self._profile.port or self._some_port(session, addresses)
            self.port = self._bind(session, addresses, port)
            if addresses and not self.port:
                raise CannotListenError(self.trouble)

    def open_to(self, addresses: Collection[str]) -> None:
        """To these members and nobody else; who is not among them is cut off at once."""
        self._gate.open_to(addresses)

    def limit(self, *, down: int, up: int) -> None:
        """Bytes per second, for all peers wherever they are; 0: none."""
        with self._lock:
            native.apply(self._running(), {"download_rate_limit": down, "upload_rate_limit": up})

    def seed(self, torrent: bytes, at: Path, *, dht: bool = True) -> None:
        """Hand out a file that was proven before; it is not hashed again and never written to.

        Without `dht` a public engine tells the DHT nothing of it; a household one never does.
        """
        read = native.read(torrent)
        with self._lock:
            self._running()
            at = _as_it_lies(at, read.length)
            if read.infohash in self._downloads:
                raise MovingError("This file is just coming in. Close that transfer before the file is shared.")
            if (present := self._seeds.get(read.infohash)) is not None:
                if present.at == at and _is_well(present):
                    return
                self.unseed(read.infohash)
            order = Order(at, [True] * read.pieces, self._profile.private, only_out=True, dht=dht)
            handle, ledger = self._add(read, order)
            self._seeds[read.infohash] = Seed(at, handle, ledger)
            self._begun(ledger)

    def unseed(self, infohash: bytes) -> None:
        """At once: its peers are cut and the file is closed. Nothing happens where it is not shared."""
        with self._lock:
            if (seed := self._seeds.pop(infohash, None)) is not None:
                quiet(seed.handle, self._board, seed.ledger)
                self._take_out(infohash, seed.handle, seed.ledger)

    def seeds(self) -> frozenset[bytes]:
        """What is really handed out; a file that vanished or broke is not among it."""
        with self._lock:
            return frozenset(infohash for infohash, seed in self._seeds.items() if _is_well(seed))

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool] | None, *, in_order: bool = False) -> Download:
        """Into exactly this file. `have` is believed; without it, what lies there is checked first."""
        read = native.read(torrent)
        if have is not None and len(have) != read.pieces:
            raise ValueError("there must be one word for each piece")
        with self._lock:
            self._running()
            if read.infohash in self._downloads or read.infohash in self._seeds:
                raise MovingError("This file is already coming in or being shared. Wait for it, or stop that first.")
            place = at.parent.resolve() / at.name
            handle, ledger = self._add(read, Order(place, have, self._profile.private, in_order=in_order))
            if have is not None:
                self._begun(ledger)
            download = Download(read, handle, self._board, ledger, self._end)
            self._downloads[read.infohash] = download
            return download

    def traffic(self) -> Traffic:
        with self._lock:
            session = self._running()
            before = self._board.counts()
            session.post_session_stats()
            self._board.wait(lambda: self._board.counts() > before, PATIENCE)
            counted = self._board.counted()
            uploads: dict[bytes, int] = {}
            with native.asking():
                for infohash, handle in self._handles():
                    uploads[infohash] = handle.status(0).total_payload_upload
            return Traffic(counted.down, counted.up, counted.peers, uploads)

    def _handles(self) -> list[tuple[bytes, "libtorrent.torrent_handle"]]:
        seeds = [(infohash, seed.handle) for infohash, seed in self._seeds.items()]
        return seeds + [(infohash, download.handle) for infohash, download in self._downloads.items()]

    def _running(self) -> "libtorrent.session":
        if self._session is None:
            raise GoneError("The swarm engine does not run. Start the node, or turn sharing on.")
        return self._session

    def _bind(self, session: "libtorrent.session", addresses: Sequence[str], port: int) -> int:
        """The port it listens at then; 0: nowhere. One that listens already is left alone: only new ones are told."""
        stays = [one for one in addresses if port and self._board.listening(one) == port]
        self._board.forget_listening(but=stays)
        # First without the new ones: an address that was asked for before is not tried again.
        native.apply(session, {"listen_interfaces": interfaces(stays, port)})
        native.apply(session, bound_to(addresses, port))
        self._board.wait(
            lambda: all(self._board.listening(one) or self._board.refusal(one) for one in addresses), PATIENCE
        )
        bound = {one: self._board.listening(one) for one in addresses}
        missing = [f"{one}: {self._board.refusal(one) or 'no answer'}" for one in addresses if not bound[one]]
        self.trouble = f"The swarm cannot listen ({'; '.join(missing)}). Free the port." if missing else ""
        return next(filter(None, bound.values()), 0)

    def _some_port(self, session: "libtorrent.session", addresses: Sequence[str]) -> int:
        """One that is free at an address that can be had."""
        port = next(filter(None, (self._bind(session, (one,), 0) for one in addresses)), 0)
        self._board.forget_listening()  # it is bound anew, by its number
        return port

    def _end(self, download: Download) -> bytes:
        with self._lock:
            if download.closed is None:
                download.closed = bytes(download.pieces)
                del self._downloads[download.infohash]
                try:
                    download.closed = download.final()
                finally:
                    self._take_out(download.infohash, download.handle, download.ledger)
                    self._gate.pardon(download.infohash)
            return download.closed

    def _add(self, read: Read, order: Order) -> "tuple[libtorrent.torrent_handle, Ledger]":
        ledger = self._board.open(read.infohash)
        try:
            return native.add(self._running(), read, order), ledger
        except UnreadableTorrentError:
            self._board.close(read.infohash)
            raise

    def _begun(self, ledger: Ledger) -> None:
        """Nothing is read for it, so it takes a moment; until then whoever calls is sent away."""
        self._board.wait(lambda: ledger.is_judged, PATIENCE)

    def _take_out(self, infohash: bytes, handle: "libtorrent.torrent_handle", ledger: Ledger) -> None:
        with native.asking():
            self._running().remove_torrent(handle)
        self._board.wait(lambda: ledger.removed, PATIENCE)
        self._board.close(infohash)

    def _listen_to(self, session: "libtorrent.session") -> None:
        """The pump's whole life."""
        board = self._board
        while not self._over.is_set():
            for alert in native.alerts(session, PULSE):
                if (event := event_of(alert)) is None:
                    continue
                board.note(event)
                if isinstance(event, PeerBanned):
                    self._gate.ban(event.infohash, event.address)


def _is_well(seed: Seed) -> bool:
    return not (seed.ledger.error or seed.ledger.distrusted)


def _as_it_lies(at: Path, length: int) -> Path:
    """Where the bytes really are, behind any symlink."""
    with explaining("read", at):
        if at.is_file() and (real := at.resolve()).stat().st_size == length:
            return real
    raise NoFileError(f"{at} is not there, or not as long as its torrent says. Run `thorp verify`.")
