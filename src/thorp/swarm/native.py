"""The one place that knows libtorrent's own words, loaded when the first engine starts.

Everything of it that raises is turned into an error of ours here; a torrent's own name is never used as a path.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from thorp.base.errors import IntegrityError, TryAgainError
from thorp.base.lazy import LazyModule
from thorp.swarm.events import Alert
from thorp.swarm.profile import EVERYBODY, Profile, Setting

if TYPE_CHECKING:
    import libtorrent

_LIBRARY: Final = LazyModule("libtorrent")
_BLOCKED: Final = 1


class UnreadableTorrentError(IntegrityError):
    """A torrent that the engine cannot read, or that is not about one file."""

    code = "swarm.unreadable_torrent"


class GoneError(TryAgainError):
    """The engine was stopped, or this torrent was taken out of it."""

    code = "swarm.gone"


@dataclass(frozen=True, slots=True)
class Read:
    """A torrent as the engine understood it."""

    params: "libtorrent.add_torrent_params" = field(repr=False)
    info: "libtorrent.torrent_info" = field(repr=False)
    infohash: bytes
    length: int
    pieces: int

    def piece_length(self, piece: int) -> int:
        return self.info.piece_size(piece)

    def piece_hash(self, piece: int) -> bytes:
        """SHA-1."""
        return self.info.hash_for_piece(piece)


@dataclass(frozen=True, slots=True)
class Order:
    """How a torrent is to be carried out. The file is `at`, whatever the torrent calls it."""

    at: Path
    have: Sequence[bool] | None  # believed; None: look
    private: bool
    only_out: bool = False  # the file is never written to, not even when it turns out to be incomplete
    in_order: bool = False
    dht: bool = True  # of a public one: whether the DHT is told of it


@contextmanager
def asking() -> Generator[None]:
    """Around questions to a torrent that may be gone by now."""
    try:
        yield
    except RuntimeError as gone:
        raise GoneError("This torrent is no longer in the engine. Start the transfer again.") from gone


def read(content: bytes) -> Read:
    """Trackers, web seeds and nodes named in it are dropped: peers come from us, not from who wrote the torrent."""
    try:
        params: libtorrent.add_torrent_params = _LIBRARY.load().load_torrent_buffer(content)
    except RuntimeError as bad:
        raise UnreadableTorrentError(f"This is not a torrent: {bad}. Fetch it again, from somebody else.") from bad
    info = params.ti
    if info is None or info.num_files() != 1 or not any(params.info_hashes.v1.to_bytes()):
        raise UnreadableTorrentError("This torrent is not about one file, so it is none of ours. Nothing was fetched.")
    params.trackers, params.url_seeds, params.dht_nodes = [], [], []
    return Read(params, info, params.info_hashes.v1.to_bytes(), info.total_size(), info.num_pieces())


def open_session(profile: Profile) -> "libtorrent.session":
    """A session that listens nowhere yet and already keeps out whom it has to."""
    library = _LIBRARY.load()
    params: libtorrent.session_params = library.session_params()
    settings: Any = {**profile.settings, "listen_interfaces": ""}
    params.settings = settings
    params.disk_io_constructor = "pread_disk_io_constructor"  # fastest, and small in memory
    rules: Any = address_filter((), (), profile)
    params.ip_filter = rules
    session: libtorrent.session = library.session(params)
    session.set_peer_class_filter(_one_class(session))
    return session


def apply(session: "libtorrent.session", settings: Mapping[str, Setting]) -> None:
    pack: Any = dict(settings)
    session.apply_settings(pack)
    session.listen_port()  # answered after the change has been made


def address_filter(opened: Iterable[str], banned: Iterable[str], profile: Profile) -> "libtorrent.ip_filter":
    """Later rules win: ranges first, then single addresses."""
    rules: libtorrent.ip_filter = _LIBRARY.load().ip_filter()
    for first, last in EVERYBODY if profile.private else profile.denied:
        rules.add_rule(first, last, _BLOCKED)
    for address in opened:
        rules.add_rule(address, address, 0)
    for address in banned:
        rules.add_rule(address, address, _BLOCKED)
    return rules


def _one_class(session: "libtorrent.session") -> "libtorrent.ip_filter":
    """Peers of the own network count like all others; by default no limit holds for them."""
    classes: libtorrent.ip_filter = _LIBRARY.load().ip_filter()
    for first, last in EVERYBODY:
        classes.add_rule(first, last, 1 << session.global_peer_class_id)
    return classes


def add(session: "libtorrent.session", torrent: Read, order: Order) -> "libtorrent.torrent_handle":
    params = torrent.params
    params.save_path = str(order.at.parent)
    params.renamed_files = {0: order.at.name}
    if order.have is not None:
        params.have_pieces = list(order.have)
    params.flags = _flags(order)
    try:
        return session.add_torrent(params)
    except RuntimeError as bad:
        raise UnreadableTorrentError(f"The engine refused this torrent: {bad}.") from bad


def _flags(order: Order) -> int:
    words = _LIBRARY.load().torrent_flags
    flags: int = words.apply_ip_filter | words.duplicate_is_error
    flags |= words.upload_mode if order.only_out else 0
    flags |= words.sequential_download if order.in_order else 0
    flags |= words.disable_pex | words.disable_lsd if order.private else 0
    flags |= words.disable_dht if order.private or not order.dht else 0
    return flags


def downloading(handle: "libtorrent.torrent_handle") -> "libtorrent.torrent_status":
    """How it stands, with its pieces, and with the parts of those that are not whole yet; nothing else that costs."""
    words = _LIBRARY.load().torrent_handle
    return handle.status(words.query_pieces | words.query_accurate_download_counters)


@contextmanager
def at_once(handle: "libtorrent.torrent_handle") -> Generator[None]:
    """Peers that are named in here are called now, not at the next full second: so it is when a torrent resumes."""
    rests = handle.status(0).flags & _LIBRARY.load().torrent_flags.paused
    handle.pause()
    yield
    if not rests:
        handle.resume()


def is_checking(status: "libtorrent.torrent_status") -> bool:
    states = _LIBRARY.load().torrent_status
    return status.state in (states.checking_files, states.checking_resume_data)


def overwriting() -> int:
    """The flag for a piece that is known to be right, so that it replaces what came from a peer."""
    flag: int = _LIBRARY.load().torrent_handle.overwrite_existing
    return flag


def alerts(session: "libtorrent.session", patience: int) -> list[Alert]:
    """What happened, waited for so many milliseconds at most."""
    session.wait_for_alert(patience)
    return [plain for one in session.pop_alerts() if (plain := _plain(one)) is not None]


def _plain(alert: Any) -> Alert | None:
    what: str = alert.what()
    if what in ("listen_succeeded", "listen_failed"):
        tcp = alert.socket_type == _LIBRARY.load().socket_type_t.tcp
        return Alert(what, address=alert.address, port=alert.port, message=alert.message()) if tcp else None
    if what == "session_stats":
        return Alert(what, values=alert.values)
    if what == "alerts_dropped":
        return Alert(what)
    return _of_torrent(what, alert)


def _of_torrent(what: str, alert: Any) -> Alert | None:
    match what:
        case "torrent_removed":
            return Alert(what, infohash=alert.info_hashes.v1.to_bytes())
        case "piece_finished" | "hash_failed":
            return Alert(what, infohash=_infohash(alert), piece=alert.piece_index)
        case "peer_ban":
            return Alert(what, infohash=_infohash(alert), address=alert.endpoint[0], port=alert.endpoint[1])
        case "file_error" | "torrent_error":
            return Alert(what, infohash=_infohash(alert), message=alert.message(), number=_errno(alert.error))
        case "torrent_checked" | "torrent_finished" | "cache_flushed" | "fastresume_rejected":
            return Alert(what, infohash=_infohash(alert), message=alert.message())
        case _:
            return None


def _infohash(alert: Any) -> bytes:
    """Zeros when the torrent is gone."""
    found: bytes = alert.handle.info_hashes().v1.to_bytes()
    return found


def _errno(error: Any) -> int:
    """The system's number; 0 for faults of another kind."""
    return error.value() if error.category().name() in ("system", "generic") else 0
