"""Where connections come in: counted before anything is spent on them, then greeted with TLS where that is spoken.

Who comes over the cap is told so and given a moment to read it; who is inside is not disturbed.
"""

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from thorp.base.tasks import TaskScope
from thorp.net.answers import last_words
from thorp.net.hygiene import HttpLimits, TooManyConnectionsError

log = logging.getLogger(__name__)

IPV6_HOUSEHOLD = 64  # one household commonly holds a whole /64


class Gate:
    """Counts who is inside, in all and by peer."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._inside: dict[asyncio.Transport, str | None] = {}
        self._turned_away: set[asyncio.Transport] = set()
        self._closed = False
        self.empty = asyncio.Event()
        self.empty.set()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, wire: asyncio.Transport) -> bool:
        peer = peer_of(wire)
        if self._closed or len(self._inside) >= self._limits.connections:
            return False
        if peer and list(self._inside.values()).count(peer) >= self._limits.connections_per_peer:
            return False
        self._inside[wire] = peer
        self.empty.clear()
        return True

    def leave(self, wire: asyncio.Transport) -> None:
        self._inside.pop(wire, None)
        self._turned_away.discard(wire)
        if not self._inside and not self._turned_away:
            self.empty.set()

    def turn_away(self, wire: asyncio.Transport) -> bool:
        """Whether there is room to tell one more why it may not enter."""
        if self._closed or len(self._turned_away) >= self._limits.turned_away:
            return False
        self._turned_away.add(wire)
        self.empty.clear()
        return True

    def close(self) -> None:
        """Nobody enters any more, and nobody is told why."""
        self._closed = True
        for wire in self._turned_away:
            wire.abort()

    def cut(self) -> None:
        """End every connection now."""
        for wire in self._inside:
            wire.abort()


def peer_of(wire: asyncio.Transport) -> str | None:
    """The name a connection is counted under; None for this machine itself."""
    name: object = wire.get_extra_info("peername")
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


@dataclass(frozen=True, slots=True)
class Premises:
    """What every connection of one listener shares."""

    gate: Gate
    limits: HttpLimits
    tasks: TaskScope
    admit: Callable[
        [Callable[[], None]], asyncio.Protocol
    ]  # makes the protocol; it calls back when it has lost its peer
    tls: ssl.SSLContext | None = None


class Door(asyncio.Protocol):
    """The first protocol of every accepted connection, and the only one until its TLS handshake is done."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._early: list[bytes] = []  # what came between the handshake's end and the hand-over, one loop turn
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire, premises = cast("asyncio.Transport", transport), self._premises
        leave = partial(premises.gate.leave, wire)
        if not premises.gate.enter(wire):
            self._turn_away(wire)
        elif premises.tls:
            wire.pause_reading()
            premises.tasks.start("handshake", self._greet(wire, premises.tls, leave))
        else:
            self._hand_over(wire, leave)

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = True

    def _turn_away(self, wire: asyncio.Transport) -> None:
        gate, limits = self._premises.gate, self._premises.limits
        if self._premises.tls or not gate.turn_away(wire):
            wire.abort()
            return
        full = TooManyConnectionsError("Too many connections are open; try again in a moment.", retry_after=1)
        Farewell(limits, partial(gate.leave, wire)).take_over(wire, last_words(full))

    async def _greet(self, wire: asyncio.Transport, tls: ssl.SSLContext, leave: Callable[[], None]) -> None:
        secured: asyncio.Transport | None = None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                wire, self, tls, server_side=True, ssl_handshake_timeout=self._premises.limits.handshake_seconds
            )
        except OSError as error:  # TLS errors and time-outs are among them
            log.debug("a TLS handshake failed: %s", error)
        finally:
            if secured is None or self._lost:
                wire.abort()
                leave()
        if secured is not None and not self._lost:
            self._hand_over(secured, leave)

    def _hand_over(self, wire: asyncio.Transport, leave: Callable[[], None]) -> None:
        protocol = self._premises.admit(leave)
        wire.set_protocol(protocol)
        protocol.connection_made(wire)
        for data in self._early:
            protocol.data_received(data)
