"""What an engine tells: alerts as plain data in, typed events out. Pure; what nobody needs to know is left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of libtorrent after everything of libtorrent was taken off."""

    what: str
    infohash: bytes = b""
    piece: int = -1
    address: str = ""
    port: int = 0
    message: str = ""
    number: int = 0  # of the system's error
    values: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Listening:
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class NotListening:
    address: str
    port: int
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What lies on the disk is known; from now on bytes may come and go."""

    infohash: bytes


@dataclass(frozen=True, slots=True)
class Distrusted:
    """The file is not there, or not as long as it has to be."""

    infohash: bytes
    why: str


@dataclass(frozen=True, slots=True)
class PieceDone:
    infohash: bytes
    piece: int


@dataclass(frozen=True, slots=True)
class PieceRefused:
    """Its bytes are not those that were promised."""

    infohash: bytes
    piece: int


@dataclass(frozen=True, slots=True)
class PeerBanned:
    infohash: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Finished:
    infohash: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The disk or the engine gave up on this torrent."""

    infohash: bytes
    why: str
    number: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """All that was accepted is on the disk, and the file is closed."""

    infohash: bytes


@dataclass(frozen=True, slots=True)
class Removed:
    infohash: bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """Totals since the start."""

    down: int
    up: int
    peers: int


@dataclass(frozen=True, slots=True)
class Missed:
    """There were more alerts than the queue holds; look for yourself."""


OfTorrent: TypeAlias = (
    Checked | Distrusted | PieceDone | PieceRefused | PeerBanned | Finished | Broken | Flushed | Removed
)
OfEngine: TypeAlias = Listening | NotListening | Counted | Missed
Event: TypeAlias = OfTorrent | OfEngine


def event_of(alert: Alert) -> Event | None:
    """None for what changes nothing."""
    return _of_engine(alert) or (_of_torrent(alert) if any(alert.infohash) else None)


def _of_engine(alert: Alert) -> OfEngine | None:
    match alert.what:
        case "listen_succeeded":
            return Listening(alert.address, alert.port)
        case "listen_failed":
            return NotListening(alert.address, alert.port, alert.message)
        case "session_stats":
            counts = alert.values
            return Counted(
                counts["net.recv_payload_bytes"], counts["net.sent_payload_bytes"], counts["peer.num_peers_connected"]
            )
        case "alerts_dropped":
            return Missed()
        case _:
            return None


def _of_torrent(alert: Alert) -> OfTorrent | None:
    make = _MAKERS.get(alert.what)
    return None if make is None else make(alert)


def _broken(alert: Alert) -> Broken:
    return Broken(alert.infohash, alert.message, alert.number)


_MAKERS: Final[Mapping[str, Callable[[Alert], OfTorrent]]] = {
    "cache_flushed": lambda alert: Flushed(alert.infohash),
    "fastresume_rejected": lambda alert: Distrusted(alert.infohash, alert.message),
    "file_error": _broken,
    "hash_failed": lambda alert: PieceRefused(alert.infohash, alert.piece),
    "peer_ban": lambda alert: PeerBanned(alert.infohash, alert.address),
    "piece_finished": lambda alert: PieceDone(alert.infohash, alert.piece),
    "torrent_checked": lambda alert: Checked(alert.infohash),
    "torrent_error": _broken,
    "torrent_finished": lambda alert: Finished(alert.infohash),
    "torrent_removed": lambda alert: Removed(alert.infohash),
}
