"""Datagrams on the local network: one socket that hears the group, and one for each interface that speaks to it.

It knows nothing of what it carries. What comes too fast, or from elsewhere than the chosen networks, is dropped before
anybody looks at it. An interface that fails is left out; the others go on.
"""

import asyncio
import ipaddress
import socket
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from thorp.base.clock import Clock
from thorp.net.interfaces import MOST_NICS, Nic
from thorp.wire.announce import GROUP, LARGEST, PORT, Refusal

AT_ONCE: Final = 32  # datagrams read before other work gets its turn
PER_SOURCE: Final = 1000.0  # a second; the numbers below are too
ALL_STRANGERS: Final = 4000.0  # sources we do not know yet, together
FIRST_WORDS: Final = 1000.0  # of sources that were quiet for a while: so one who just arrived is heard in a flood
QUIET_FOR: Final = 10.0  # seconds
MOST_SOURCES: Final = 4096

_LINUX: Final = sys.platform == "linux"
_PKTINFO: Final = 8 if _LINUX else 26  # `socket` has no name for it yet
_MULTICAST_ALL: Final = 49  # Linux: whether groups that other programs joined are heard too
_INFO: Final = struct.Struct("=I4s4s")
_ANCILLARY: Final = socket.CMSG_SPACE(_INFO.size)


class Way(StrEnum):
    """How a datagram was addressed."""

    GROUP = "multicast"
    BROADCAST = "broadcast"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Arrived:
    datagram: bytes  # at most one byte more than the largest that is taken, so that too long can be seen
    source: str
    way: Way
    nic: str  # the interface it came in by; empty when the system does not tell


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one datagram on one interface. None: not tried."""

    nic: str
    address: str
    group: bool
    broadcast: bool | None
    error: str = ""


@dataclass(slots=True)
class _Bucket:
    """As many tokens as one second brings."""

    rate: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        self.tokens = min(self.rate, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class SourceGate:
    """How much may be looked at. Each source has its share, and known ones never stand in the crowd of the others."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._known: dict[str, _Bucket] = {}
        self._strangers = _Bucket(ALL_STRANGERS, ALL_STRANGERS, 0.0)
        self._first = _Bucket(FIRST_WORDS, FIRST_WORDS, 0.0)

    def keep(self, known: Collection[str], now: float) -> None:
        """These are known from now on, and only these."""
        held = self._known
        self._known = {source: held.get(source) or _Bucket(PER_SOURCE, PER_SOURCE, now) for source in known}

    def admits(self, source: str, now: float) -> bool:
        known = self._known.get(source)
        if known is not None:
            return known.take(now)
        bucket = self._sources.get(source)
        quiet = bucket is None or now - bucket.at >= QUIET_FOR
        if bucket is None:
            bucket = self._enter(source, now)
        self._sources.move_to_end(source)
        return bucket.take(now) and ((quiet and self._first.take(now)) or self._strangers.take(now))

    def _enter(self, source: str, now: float) -> _Bucket:
        if len(self._sources) >= MOST_SOURCES:
            self._sources.popitem(last=False)
        return self._sources.setdefault(source, _Bucket(PER_SOURCE, PER_SOURCE, now))

    def __len__(self) -> int:
        return len(self._sources) + len(self._known)


class LanSocket:
    """Hears and speaks on the chosen interfaces. Lives on the event loop; nothing here waits."""

    def __init__(self, clock: Clock, *, group: str = GROUP, port: int = PORT) -> None:
        self._clock = clock
        self._group = group
        self._wanted_port = port
        self._gate = SourceGate()
        self._ears: socket.socket | None = None
        self._mouths: dict[tuple[str, str], socket.socket] = {}
        self._nics: tuple[Nic, ...] = ()
        self._networks: tuple[ipaddress.IPv4Network, ...] = ()
        self._arrived: Callable[[Arrived], None] = _nobody
        self._dropped: Callable[[Refusal], None] = _nobody

    @property
    def port(self) -> int:
        return self._ears.getsockname()[1] if self._ears else self._wanted_port

    @property
    def is_open(self) -> bool:
        return self._ears is not None

    def open(self, arrived: Callable[[Arrived], None], dropped: Callable[[Refusal], None]) -> None:
        """Listen. `arrived` gets what passed the gate, `dropped` the reason otherwise; `OSError`: the port is taken."""
        if self._ears is not None:
            return
        self._arrived, self._dropped = arrived, dropped
        ears = _ears(self._wanted_port)
        asyncio.get_running_loop().add_reader(ears, self._readable)
        self._ears = ears

    def close(self) -> None:
        self.use(())
        if self._ears is not None:
            asyncio.get_running_loop().remove_reader(self._ears)
            self._ears.close()
            self._ears = None

    def use(self, nics: Iterable[Nic]) -> None:
        """From now on these interfaces. Joins again where it had joined: one that went and came back had forgotten."""
        chosen = {
            (nic.name, nic.address): nic for nic in tuple(nics)[:MOST_NICS]
        }  # Linux lets one socket join 20 groups
        for gone in self._mouths.keys() - chosen.keys():
            self._leave(gone[1])
            self._mouths.pop(gone).close()
        self._nics = tuple(chosen.values())
        self._networks = tuple(nic.network for nic in self._nics)
        for nic in self._nics:
            self._join(nic.address)

    def keep(self, known: Collection[str]) -> None:
        """Addresses whose datagrams are never crowded out by those of others."""
        self._gate.keep(known, self._clock.monotonic())

    def send(self, datagram: bytes, *, broadcast: Collection[tuple[str, str]]) -> tuple[Sent, ...]:
        """To the group on each interface, and on those named here (by name and address) to everybody as well."""
        return tuple(self._send(nic, datagram, broadcast=(nic.name, nic.address) in broadcast) for nic in self._nics)

    def _send(self, nic: Nic, datagram: bytes, *, broadcast: bool) -> Sent:
        errors: list[str] = []
        group = self._shot(nic, datagram, self._group, errors)
        wide = self._shot(nic, datagram, nic.broadcast, errors) if broadcast and nic.broadcast else None
        return Sent(nic.name, nic.address, group, wide, "; ".join(dict.fromkeys(errors)))

    def _shot(self, nic: Nic, datagram: bytes, target: str, errors: list[str]) -> bool:
        key = (nic.name, nic.address)
        try:
            mouth = self._mouths.get(key) or self._mouths.setdefault(key, _mouth(nic.address))
            mouth.sendto(datagram, (target, self.port))
        except OSError as error:
            errors.append(error.strerror or type(error).__name__)
            if key in self._mouths:
                self._mouths.pop(key).close()  # made anew for the next one: the interface may have come back
            return False
        return True

    def _join(self, address: str) -> None:
        if self._ears is not None and _is_group(self._group):
            with suppress(OSError):  # joined already, or an interface without multicast: broadcasts still arrive
                self._ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(self._group, address))

    def _leave(self, address: str) -> None:
        if self._ears is not None and _is_group(self._group):
            with suppress(OSError):  # the interface is gone, and the membership with it
                self._ears.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, _membership(self._group, address))

    def _readable(self) -> None:
        """A few at a time: who sends without end does not get the loop for itself."""
        for _ in range(AT_ONCE):
            if self._ears is None:
                return
            try:
                datagram, ancillary, _, sender = self._ears.recvmsg(LARGEST + 1, _ANCILLARY)
            except OSError:  # nothing more there, or an error that came back for something sent
                return
            self._take(datagram, str(sender[0]), ancillary)

    def _take(self, datagram: bytes, source: str, ancillary: list[tuple[int, int, bytes]]) -> None:
        if not self._is_near(source):
            self._dropped(Refusal.OFF_SUBNET)
        elif not self._gate.admits(source, self._clock.monotonic()):
            self._dropped(Refusal.FLOOD)
        else:
            target, nic = _how(ancillary)
            self._arrived(Arrived(datagram, source, self._way(target), nic))

    def _is_near(self, source: str) -> bool:
        address = ipaddress.IPv4Address(source)
        return any(address in network for network in self._networks)

    def _way(self, target: str) -> Way:
        if target == self._group:
            return Way.GROUP
        wide = target == "255.255.255.255" or target in {nic.broadcast for nic in self._nics} - {""}
        return Way.BROADCAST if wide else Way.DIRECT


def _nobody(_: object) -> None:
    """Nobody listens before `open`."""


def _ears(port: int) -> socket.socket:
    """One socket for all interfaces, beside those of other nodes on this machine."""
    ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        ears.setblocking(False)
        ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not _LINUX:
            ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with suppress(OSError):  # then it is not known how a datagram came, and no more
            ears.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        if _LINUX:
            ears.setsockopt(socket.IPPROTO_IP, _MULTICAST_ALL, 0)
        ears.bind(("", port))  # broadcasts and groups reach no other address
    except OSError:
        ears.close()
        raise
    return ears


def _mouth(address: str) -> socket.socket:
    """Speaks from one address, by its interface, no further than the next router; our own node hears it too."""
    mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mouth.setblocking(False)
        mouth.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        mouth.bind((address, 0))
    except OSError:
        mouth.close()
        raise
    return mouth


def _membership(group: str, address: str) -> bytes:
    return socket.inet_aton(group) + socket.inet_aton(address)


def _is_group(address: str) -> bool:
    return ipaddress.IPv4Address(address).is_multicast


def _how(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[str, str]:
    """Where a datagram was sent to, and the interface it came in by; empty where the system does not tell."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _PKTINFO) and len(data) == _INFO.size:
            index, _, target = _INFO.unpack(data)
            with suppress(OSError):
                return socket.inet_ntoa(target), socket.if_indextoname(index)
            return socket.inet_ntoa(target), ""
    return "", ""
