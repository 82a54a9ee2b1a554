"""Where connections come in: counted before anything is spent on them, then greeted with TLS where that is spoken.

Who comes over the cap is told so and given a moment to read it; who is inside is not disturbed.
"""

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from thorp.base.tasks import TaskScope
from thorp.net.answers import last_words
from thorp.net.facts import UNKNOWN_PEER, PeerFacts
from thorp.net.hygiene import HttpLimits, TooManyConnectionsError

log = logging.getLogger(__name__)

IPV6_HOUSEHOLD: Final = 64  # one household commonly holds a whole /64
OTHER_USERS: Final = "other users"  # of this machine: together one peer, so that they leave room for the owner


@dataclass(eq=False, slots=True)
class Visit:
    """One connection, from the door to its end."""

    peer: str | None  # whom it is counted under
    leave: Callable[["Visit"], None]
    facts: PeerFacts = UNKNOWN_PEER
    wire: asyncio.Transport | None = None

    def end(self) -> None:
        self.leave(self)


class Gate:
    """Counts who is inside, in all and by peer."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._inside: set[Visit] = set()
        self._outside: set[Visit] = set()  # turned away, and being told why
        self._closed = False
        self.empty = asyncio.Event()
        self.empty.set()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, peer: str | None, facts: PeerFacts = UNKNOWN_PEER) -> Visit | None:
        if self._closed or len(self._inside) >= self._limits.connections:
            return None
        if peer and sum(visit.peer == peer for visit in self._inside) >= self._limits.connections_per_peer:
            return None
        return self._welcome(Visit(peer, self._leave, facts), self._inside)

    def turn_away(self) -> Visit | None:
        """A visit as long as the last words take; None when too many are being told already."""
        if self._closed or len(self._outside) >= self._limits.turned_away:
            return None
        return self._welcome(Visit(None, self._leave), self._outside)

    def _welcome(self, visit: Visit, where: set[Visit]) -> Visit:
        where.add(visit)
        self.empty.clear()
        return visit

    def _leave(self, visit: Visit) -> None:
        self._inside.discard(visit)
        self._outside.discard(visit)
        if not self._inside and not self._outside:
            self.empty.set()

    def close(self) -> None:
        """Nobody enters any more, and nobody is told why."""
        self._closed = True
        _cut(self._outside)

    def cut(self) -> None:
        """End every connection now."""
        _cut(self._inside)


def _cut(visits: set[Visit]) -> None:
    for visit in visits:
        if visit.wire:
            visit.wire.abort()


def counted_under(wire: asyncio.Transport, facts: PeerFacts) -> str | None:
    """The name a connection is counted under; None for our own user at home, who is not counted apart."""
    if facts.at_home:
        return None
    here, there = (_address(wire.get_extra_info(end)) for end in ("sockname", "peername"))
    if there is None or there.is_loopback or here is None or here.is_loopback:
        return OTHER_USERS  # who reaches a loopback address is on this machine, whichever address they come from
    if isinstance(there, ipaddress.IPv4Address):
        return str(there)
    return str(ipaddress.ip_network((there, IPV6_HOUSEHOLD), strict=False))


def _address(name: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in the name of one end; None for a Unix socket."""
    if not isinstance(name, tuple) or not name:
        return None
    address = ipaddress.ip_address(str(cast("tuple[object, ...]", name)[0]).partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


class Farewell(asyncio.Protocol):
    """Says the last words, then reads and forgets until the peer has gone or its time is over.

    Closing with unread bytes in the socket resets the connection, and the peer would never see why.
    """

    def __init__(self, limits: HttpLimits, visit: Visit) -> None:
        self._limits = limits
        self._visit = visit
        self._read = 0
        self._end: asyncio.TimerHandle | None = None

    def take_over(self, wire: asyncio.Transport, words: bytes) -> None:
        self._visit.wire = wire
        wire.set_protocol(self)
        self._end = asyncio.get_running_loop().call_later(self._limits.linger_seconds, wire.abort)
        wire.write(words)
        if wire.can_write_eof():
            wire.write_eof()
        wire.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        if self._read > self._limits.linger_bytes and self._visit.wire:
            self._visit.wire.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._end:
            self._end.cancel()
        self._visit.end()


@dataclass(frozen=True, slots=True)
class Premises:
    """What every connection of one listener shares."""

    gate: Gate
    limits: HttpLimits
    tasks: TaskScope
    admit: Callable[[Visit], asyncio.Protocol]  # makes the protocol that stays; it ends the visit
    peer_facts: Callable[[asyncio.Transport], PeerFacts]
    tls: ssl.SSLContext | None = None


class Door(asyncio.Protocol):
    """The first protocol of every accepted connection."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire, premises, visit = cast("asyncio.Transport", transport), self._premises, None
        try:
            facts = premises.peer_facts(wire)
            visit = premises.gate.enter(counted_under(wire, facts), facts)
            if visit is None:
                self._turn_away(wire)
            else:
                self._let_in(wire, visit)
        except BaseException:  # a fault of ours, which the loop logs and forgets
            wire.abort()
            if visit:
                visit.end()
            raise

    def _turn_away(self, wire: asyncio.Transport) -> None:
        visit = None if self._premises.tls else self._premises.gate.turn_away()
        if visit is None:
            wire.abort()
            return
        full = TooManyConnectionsError("Too many connections are open; try again in a moment.", retry_after=1)
        Farewell(self._premises.limits, visit).take_over(wire, last_words(full))

    def _let_in(self, wire: asyncio.Transport, visit: Visit) -> None:
        protocol = self._premises.admit(visit)
        if self._premises.tls:
            greeting = self._greet(_taken_over(wire), self._premises.tls, protocol)
            task = self._premises.tasks.start("handshake", greeting)
            task.add_done_callback(lambda _: None if visit.wire else visit.end())
        else:
            wire.set_protocol(protocol)
            protocol.connection_made(wire)

    async def _greet(self, taken: socket.socket, tls: ssl.SSLContext, protocol: asyncio.Protocol) -> None:
        """Start over with the same socket and TLS. Before this nothing was read from it."""
        loop, limits = asyncio.get_running_loop(), self._premises.limits
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, taken, ssl=tls, ssl_handshake_timeout=limits.handshake_seconds
            )
        except OSError as error:  # TLS errors and time-outs are among them
            log.debug("a TLS handshake failed: %s", error)


def _taken_over(wire: asyncio.Transport) -> socket.socket:
    """The socket of a connection, without the connection."""
    taken = cast("socket.socket", wire.get_extra_info("socket")).dup()
    wire.abort()
    return taken
