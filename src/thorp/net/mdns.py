"""mDNS as the second way to be found: `_thorp._tcp` with a tag, two ports and a version, and nothing that names anyone.

What is heard is a hint for where to ask, never a proof. Names are random and new at every change. Whoever floods the
network with services costs a bounded number of look-ups.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import NetworkError
from thorp.base.lazy import LazyModule
from thorp.base.tasks import TaskScope
from thorp.net.interfaces import Nic, on_a_network

log = logging.getLogger(__name__)

GROUP: Final = "224.0.0.251"
TYPE: Final = "_thorp._tcp.local."
FORMAT: Final = b"1"
LONGEST_TEXT: Final = 512  # ours has about 60 bytes
MOST_ADDRESSES: Final = 8  # of one service
MOST_LOOKUPS: Final = 8  # at once; the ninth name is not asked about
LOOKUP_MS: Final = 1500
SIGHTINGS_AT_ONCE: Final = 50
SIGHTINGS_PER_SECOND: Final = 10.0
MOST_LATER: Final = 256  # names that came too fast and are looked at later; the oldest fall out
LATER: Final = 1.0  # seconds
NAME_TRIES: Final = 4
_LAST_PORT: Final = 65_535
_TAG: Final = re.compile(rb"[0-9a-f]{16}")
_VERSION: Final = re.compile(rb"[0-9A-Za-z.+-]{1,32}")
_PORT: Final = re.compile(rb"[0-9]{1,5}")
_ZEROCONF: Final = LazyModule("zeroconf")
_ZEROCONF_ASYNCIO: Final = LazyModule("zeroconf.asyncio")


class NoMdnsError(NetworkError):
    """mDNS does not work on this machine, or not now."""

    code = "net.no_mdns"


@dataclass(frozen=True, slots=True)
class Service:
    """What this node says about itself."""

    tag: str  # 16 hex characters, of the household's epoch
    mesh_port: int
    swarm_port: int  # 0: no torrents
    version: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A service as somebody on the network describes it. Nothing in it is proven."""

    tag: str
    addresses: tuple[str, ...]  # on our own networks only
    mesh_port: int
    swarm_port: int = 0
    version: str = ""


@dataclass(slots=True)
class Counts:
    """What was heard and how much of it was of use."""

    seen: int = 0
    refused: int = 0  # not a service of this kind, or nowhere to reach it
    dropped: int = 0  # too many at once


def text_of(service: Service) -> dict[str, str]:
    """What the TXT record says."""
    return {"f": FORMAT.decode(), "tag": service.tag, "swarm": str(service.swarm_port), "v": service.version}


def sighting_of(
    text: Mapping[bytes, bytes | None], port: int | None, addresses: Iterable[str], nics: Collection[Nic]
) -> Sighting | None:
    """What a foreign record says, if it is one of ours and leads to a place on a network of ours."""
    tag, swarm, version = (text.get(name) or b"" for name in (b"tag", b"swarm", b"v"))
    mine = {nic.address for nic in nics}
    near = dict.fromkeys(one for one in addresses if one in mine or on_a_network(one, nics))
    is_whole = text.get(b"f") == FORMAT and _TAG.fullmatch(tag) and _VERSION.fullmatch(version)
    if not (is_whole and _PORT.fullmatch(swarm) and int(swarm) <= _LAST_PORT and near and port):
        return None
    return Sighting(tag.decode(), tuple(near)[:MOST_ADDRESSES], port, int(swarm), version.decode())


class Bucket:
    """So many at once and so many per second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(SIGHTINGS_AT_ONCE)
        self._at = clock.monotonic()

    def take(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(SIGHTINGS_AT_ONCE, self._left + (now - self._at) * SIGHTINGS_PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Listener:
    """What zeroconf calls, within the loop."""

    appeared: Callable[[str], None]

    def add_service(self, _zeroconf: Any, _type: str, name: str) -> None:
        self.appeared(name)

    def update_service(self, _zeroconf: Any, _type: str, name: str) -> None:
        self.appeared(name)

    def remove_service(self, _zeroconf: Any, _type: str, _name: str) -> None:
        """Nobody is forgotten because somebody says so; who is not heard any more runs out by itself."""


class Mdns:
    """Shows one service and looks for others. Its methods are called by one task, one after another."""

    def __init__(
        self, seen: Callable[[Sighting], None], clock: Clock, randomness: Randomness, *, kind: str = TYPE
    ) -> None:
        self._seen = seen
        self._kind = kind
        self._randomness = randomness
        self._bucket = Bucket(clock)
        self._lookups = TaskScope("mdns")
        self._asking: set[str] = set()
        self._later: dict[str, None] = {}  # newest last
        self._zeroconf: Any = None
        self._shown: Any = None
        self._service: Service | None = None
        self._nics: tuple[Nic, ...] = ()
        self._places: tuple[str, ...] = ()  # our addresses on those that are up
        self._own: tuple[str, ...] = ()  # the last names we showed ourselves with
        self._crowded_out = False
        self.counts = Counts()

    async def start(self, service: Service, nics: Collection[Nic]) -> None:
        """Show the service on these networks and look for others. Raises NoMdnsError; then nothing runs."""
        self._nics, self._places = tuple(nics), _usable(nics)
        self._check_reach()
        try:
            self._zeroconf = _ZEROCONF_ASYNCIO.load().AsyncZeroconf(interfaces=list(self._places))
            self._lookups = TaskScope("mdns")
            await self._zeroconf.async_add_service_listener(self._kind, _Listener(self._appeared))
            await self._show(service)
        except _troubles() as error:
            await self.stop()
            raise _silent(error) from None
        except BaseException:
            await self.stop()
            raise

    async def update(self, service: Service, nics: Collection[Nic]) -> None:
        """What changed: networks, addresses, ports, or the tag. Without any network it ends."""
        before, places = self._places, _usable(nics)
        if self._zeroconf is None or not places:
            await self.stop()
            await self.start(service, nics)
            return
        try:
            self._nics, self._places = tuple(nics), places
            if places != before:
                await self._zeroconf.async_update_interfaces(list(self._places))
            if self._service != service or self._shown is None:
                await self._hide()
                await self._show(service)
        except _troubles() as error:
            await self.stop()
            raise _silent(error) from None

    async def stop(self) -> None:
        """Say goodbye and end. May be called at any time, and twice."""
        running, self._zeroconf, self._shown, self._service = self._zeroconf, None, None, None
        await self._lookups.close()
        self._asking.clear()
        self._later.clear()
        if running is not None:
            with suppress(*_troubles()):
                await running.async_close()

    @property
    def shown(self) -> bool:
        """Whether others can find this node; looking for them works without."""
        return self._shown is not None

    def _check_reach(self) -> None:
        if not self._places:
            raise NoMdnsError("There is no network that is up, so nobody is looked for by mDNS.")

    async def _show(self, service: Service) -> None:
        """Under a name nobody has. Whoever claims every name we try keeps us from being shown, not from looking."""
        self._service = service
        taken = _ZEROCONF.load().NonUniqueNameException
        for _ in range(NAME_TRIES):
            info = self._described(service)
            try:
                await (await self._zeroconf.async_register_service(info))
            except taken:
                continue
            self._shown = info
            self._crowded_out = False
            return
        if not self._crowded_out:  # once: whoever calls tries again and again
            log.warning("Somebody on the network claims every mDNS name this node tries; it is not shown there.")
        self._crowded_out = True

    async def _hide(self) -> None:
        info, self._shown = self._shown, None
        if info is not None:
            await (await self._zeroconf.async_unregister_service(info))

    def _described(self, service: Service) -> Any:
        name = f"{self._randomness.bytes(8).hex()}.{self._kind}"
        self._own = (*self._own, name)[-2 * NAME_TRIES :]
        return _ZEROCONF_ASYNCIO.load().AsyncServiceInfo(
            self._kind,
            name,
            port=service.mesh_port,
            properties=text_of(service),
            parsed_addresses=list(service.addresses),
        )

    def _appeared(self, name: str) -> None:
        """A service is new or changed. Called by zeroconf within the loop."""
        if self._zeroconf is None or name.lower() in self._own:
            return
        if self._later or not self._bucket.take():
            self._postpone(name)
        else:
            self._look(name)

    def _postpone(self, name: str) -> None:
        if not self._later:
            self._lookups.start("later", self._look_later())
        self._later.pop(name, None)
        self._later[name] = None
        if len(self._later) > MOST_LATER:
            self._later.pop(next(iter(self._later)))
            self.counts.dropped += 1

    async def _look_later(self) -> None:
        """The newest first: in a flood that ended, that is whoever came after it."""
        while self._later:
            await asyncio.sleep(LATER)
            while self._later and self._bucket.take():
                name, _ = self._later.popitem()
                self._look(name)

    def _look(self, name: str) -> None:
        try:
            info = _ZEROCONF_ASYNCIO.load().AsyncServiceInfo(self._kind, name)
        except _ZEROCONF.load().Error:  # a name that none should have
            self.counts.refused += 1
            return
        if info.load_from_cache(self._zeroconf.zeroconf):
            self._judge(info)
        elif name in self._asking or len(self._asking) >= MOST_LOOKUPS:
            self.counts.dropped += 1
        else:
            self._asking.add(name)
            self._lookups.start("look-up", self._ask(name, info))

    async def _ask(self, name: str, info: Any) -> None:
        try:
            if await info.async_request(self._zeroconf.zeroconf, LOOKUP_MS):
                self._judge(info)
            else:
                self.counts.refused += 1
        finally:
            self._asking.discard(name)

    def _judge(self, info: Any) -> None:
        found = None
        if len(info.text) <= LONGEST_TEXT:
            found = sighting_of(
                info.properties, info.port, info.parsed_addresses(_ZEROCONF.load().IPVersion.V4Only), self._nics
            )
        if found is None:
            self.counts.refused += 1
            return
        self.counts.seen += 1
        self._seen(found)


def _usable(nics: Iterable[Nic]) -> tuple[str, ...]:
    """Those that can be spoken on: for a single one that is gone, zeroconf would give up all."""
    return tuple(nic.address for nic in nics if _is_up(nic.address))


def _is_up(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            membership = socket.inet_aton(GROUP) + socket.inet_aton(address)
            trial.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            trial.bind((address, 0))
        except OSError as error:
            log.debug("no mDNS on %s: %s", address, error)
            return False
    return True


def _troubles() -> tuple[type[Exception], ...]:
    return OSError, RuntimeError, _ZEROCONF.load().Error


def _silent(error: BaseException) -> NoMdnsError:
    return NoMdnsError(f"mDNS does not work here: {str(error) or type(error).__name__}. Other ways to be found go on.")
