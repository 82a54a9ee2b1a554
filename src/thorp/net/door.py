"""Where connections come in: they are counted before anything is spent on them, then greeted with TLS where that is spoken.

Who comes over the cap is told so and given a moment to read it; who is inside is not disturbed.
"""

import asyncio
import ipaddress
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import cast

from thorp.base.tasks import TaskScope
from thorp.net.answers import last_words
from thorp.net.hygiene import HttpLimits, TooManyConnectionsError

log = logging.getLogger(__name__)

IPV6_HOUSEHOLD = 64  # one household commonly holds a whole /64


class Gate:
    """Counts who is inside. `None` is a peer that needs no limit of its own: this machine."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._peers: Counter[str] = Counter()
        self.inside = 0
        self.turned_away = 0
        self.empty = asyncio.Event()
        self.empty.set()

    def enter(self, peer: str | None) -> bool:
        if self.inside >= self._limits.connections:
            return False
        if peer is not None:
            if self._peers[peer] >= self._limits.connections_per_peer:
                return False
            self._peers[peer] += 1
        self.inside += 1
        self.empty.clear()
        return True

    def leave(self, peer: str | None) -> None:
        self.inside -= 1
        if peer is not None:
            self._peers[peer] -= 1
            self._peers += Counter()  # drops names that count nothing
        if not self.inside:
            self.empty.set()

    def turn_away(self) -> bool:
        """Whether there is room to tell one more why it may not enter."""
        if self.turned_away >= self._limits.turned_away:
            return False
        self.turned_away += 1
        return True

    def went_away(self) -> None:
        self.turned_away -= 1


def peer_of(transport: asyncio.BaseTransport) -> str | None:
    """The name a connection is counted under."""
    name: object = transport.get_extra_info("peername")
    if not isinstance(name, tuple) or not name:
        return None
    address = ipaddress.ip_address(str(cast("tuple[object, ...]", name)[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return None
    if address.version == 4:  # noqa: PLR2004  (the protocol's name)
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_HOUSEHOLD), strict=False))


class Farewell(asyncio.Protocol):
    """Says the last words, then reads and forgets until the peer has gone or its time is over.

    Closing with unread bytes in the socket resets the connection, and the peer would never see why.
    """

    def __init__(self, limits: HttpLimits, on_lost: Callable[[], None]) -> None:
        self._limits = limits
        self._on_lost = on_lost
        self._read = 0
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def take_over(self, transport: asyncio.Transport, words: bytes) -> None:
        self._transport = transport
        transport.set_protocol(self)
        self._end = asyncio.get_running_loop().call_later(self._limits.linger_seconds, transport.abort)
        transport.write(words)
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        if self._read > self._limits.linger_bytes and self._transport:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._end:
            self._end.cancel()
        self._on_lost()


class Greeted(asyncio.Protocol):
    """What the door hands an admitted connection to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...


class Door(asyncio.Protocol):
    """The first protocol of every accepted connection."""

    def __init__(
        self,
        gate: Gate,
        limits: HttpLimits,
        admit: Callable[[Callable[[], None]], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        tasks: TaskScope,
    ) -> None:
        self._gate = gate
        self._limits = limits
        self._admit = admit
        self._tls = tls
        self._tasks = tasks
        self._early: list[bytes] = []
