"""The door for other BitTorrent clients of the house: a plain-HTTP tracker on a port of its own, if the owner wants it.

It answers members that are here and hosts the owner lists, the same that the engine lets in, and knows nothing but what
this node hands out to them. Everybody else is refused, and learns nothing; so is what comes from a web page, for a
browser has the address of a computer that is let in.
"""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from thorp.app.lan_place import Present
from thorp.app.services import close_listener
from thorp.app.settings import Settings
from thorp.base.clock import Clock
from thorp.base.errors import ThorpError
from thorp.base.service import Life, ServiceSpec
from thorp.net.addresses import is_any
from thorp.net.answers import NO_STORE, SECURITY_HEADERS
from thorp.net.facts import ListenerFacts
from thorp.net.guards import host_name
from thorp.net.hygiene import HttpLimits
from thorp.net.listen import TcpListener
from thorp.swarm.torrents import with_tracker
from thorp.swarm.tracker import PATH, STRANGER, Peer, Tracker, failure, tracker_app

ORDER: Final = 37
TORRENT: Final = re.compile(r"/torrents/([0-9a-f]{40})\.torrent")
OF_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-site"})
LIMITS: Final = HttpLimits(head_bytes=8 * 1024, connections=128, connections_per_peer=16, handshake_seconds=5.0)


@dataclass(frozen=True, slots=True)
class House:
    """What the tracker asks the rest of the node."""

    settings: Callable[[], Settings]
    admitted: Callable[[], frozenset[str]]  # addresses that the engine lets in now
    handed: Callable[[], frozenset[bytes]]  # what the engine hands out; blocks nobody
    swarm_port: Callable[[], int]
    present: Present
    torrent: Callable[[str], Awaitable[bytes]]  # by infohash; as members get it
    clock: Clock


class TrackerService:
    """Where its port cannot be opened the node goes on without, and tries again."""

    spec = ServiceSpec("tracker", ORDER)

    def __init__(self, house: House) -> None:
        self._house = house
        self._listener: TcpListener | None = None

    @property
    def port(self) -> int:
        return self._listener.port if self._listener is not None else 0

    @property
    def address(self) -> str:
        host = self._host() or self._house.settings().mesh.host
        return f"http://{written(host, self.port)}"

    def address_of(self, infohash: str) -> str | None:
        """Where other clients get a torrent; None while they get none."""
        if not (self.port and self._host()) or bytes.fromhex(infohash) not in self._house.handed():
            return None
        return f"{self.address}/torrents/{infohash}.torrent"

    def _host(self) -> str:
        host, nics = self._house.settings().mesh.host, self._house.present.nics
        if not is_any(host):
            return host
        return nics[0].address if nics else ""

    async def run(self, life: Life) -> None:
        settings = self._house.settings()
        if not settings.swarm.tracker:
            life.ready()
            await life.until_stop()
            return
        facts, setting = ListenerFacts("tracker"), "swarm.tracker_port"
        app = other_clients(self._house)
        listener = TcpListener(facts, settings.mesh.host, settings.swarm.tracker_port, app, LIMITS, setting=setting)
        try:
            await listener.start()
        finally:
            life.ready()
        self._listener = listener
        try:
            await life.until_stop()
        finally:
            self._listener = None
            await close_listener(listener)

    def stop_accepting(self) -> None:
        if self._listener is not None:
            self._listener.stop_accepting()


def other_clients(house: House) -> ASGIApp:
    """GET `/announce` and `/torrents/<infohash>.torrent`, and nothing else."""

    def admitted(address: str) -> bool:
        return address in house.admitted()

    def known(infohash: bytes) -> tuple[Peer, ...] | None:
        """Only this node surely has it, and surely lets in who asks here."""
        port = house.swarm_port()
        if not port or infohash not in house.handed():
            return None
        return tuple((nic.address, port) for nic in house.present.nics)

    announce = tracker_app(Tracker(house.clock, known), admitted)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and may_be_a_page(scope["headers"]):
            await _send(send, 403, failure(STRANGER))
            return
        found = TORRENT.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if found is None:
            await announce(scope, receive, send)
        elif not admitted(str((scope.get("client") or ("",))[0])):
            await _send(send, 403, failure(STRANGER))
        elif (content := await _torrent(house, found[1], own_end(scope))) is None:
            await _send(send, 404, failure("This node hands out no such torrent."))
        else:
            await _send(send, 200, content, b"application/x-bittorrent")

    return app


def may_be_a_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a browser may have asked for a page's sake: it says so, or goes by a name that somebody may rebind."""
    given = tuple(headers)
    hosts = [value for name, value in given if name == b"host"]
    return len(hosts) != 1 or not _is_literal(hosts[0]) or any(name in OF_BROWSERS for name, _ in given)


def _is_literal(host: bytes) -> bool:
    try:
        ipaddress.ip_address(host_name(host) or "")
    except ValueError:
        return False
    return True


def own_end(scope: Scope) -> str:
    """Our address and port as who asks reaches them, for a URL."""
    return written(*scope["server"])


def written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _torrent(house: House, infohash: str, own: str) -> bytes | None:
    if bytes.fromhex(infohash) not in house.handed():
        return None
    try:
        content = await house.torrent(infohash)
    except ThorpError:
        return None
    return await asyncio.to_thread(with_tracker, content, f"http://{own}{PATH}")


async def _send(send: Send, status: int, body: bytes, kind: bytes = b"text/plain") -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), NO_STORE, *SECURITY_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
