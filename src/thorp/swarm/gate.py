"""Whose addresses an engine speaks to. A change cuts the peers it concerns before the call returns."""

from collections.abc import Collection
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING

from thorp.swarm import native
from thorp.swarm.profile import Profile

if TYPE_CHECKING:
    import libtorrent


class Gate:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._lock = Lock()
        self._open: frozenset[str] = frozenset()
        self._banned: dict[bytes, frozenset[str]] = {}
        self._session: libtorrent.session | None = None

    def begin(self, session: "libtorrent.session") -> None:
        with self._lock:
            self._session = session
            self._apply(session)

    def end(self) -> None:
        with self._lock:
            self._session = None
            self._banned = {}

    def open_to(self, addresses: Collection[str]) -> None:
        """To these and nobody else; what is not an address is refused."""
        opened = frozenset(str(ip_address(one)) for one in addresses)
        with self._lock:
            if opened != self._open:
                self._open = opened
                self._apply(self._session)

    def ban(self, infohash: bytes, address: str) -> None:
        """For as long as this download lasts. libtorrent bans a port, and the same peer would call from the next."""
        with self._lock:
            known = self._banned.get(infohash, frozenset())
            if address not in known:
                self._banned[infohash] = known | {address}
                self._apply(self._session)

    def pardon(self, infohash: bytes) -> None:
        with self._lock:
            if self._banned.pop(infohash, None):
                self._apply(self._session)

    def _apply(self, session: "libtorrent.session | None") -> None:
        if session is None:
            return
        banned = frozenset[str]().union(*self._banned.values())
        session.set_ip_filter(native.address_filter(self._open, banned, self._profile))
        session.get_ip_filter()  # answered after the change has been made
