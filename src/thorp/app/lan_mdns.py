"""mDNS while there is anybody to find: shows this node, and says again and again whom it sees.

A service is told of once, when it appears; a neighbour counts for three minutes only. So what was seen is remembered.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from thorp import __version__
from thorp.base.clock import Clock, Randomness
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import working
from thorp.mesh.index_types import Ports
from thorp.net.interfaces import Nic
from thorp.net.mdns import Mdns, NoMdnsError, Service, Sighting

log = logging.getLogger(__name__)
ORDER: Final = 38
LOOK_AGAIN: Final = 20.0  # seconds between two looks at what to say and whom to call, when nothing else happens
MOST_SEEN: Final = 64
SEEN_FOR: Final = 3600.0  # seconds that a service is remembered at whose address no neighbour is


@dataclass(frozen=True, slots=True)
class Scene:
    """What the service asks the node at each look."""

    wanted: Callable[[], bool]  # whether there is anybody to find
    nics: Callable[[], tuple[Nic, ...]]  # may block for a moment
    tag: Callable[[], str]
    ports: Callable[[], Ports]
    addresses: Callable[[], Collection[str]]  # where neighbours are now
    sighted: Callable[[Collection[str], int, str], None]  # addresses, mesh port, tag


class Seen:
    """The services that were seen last, each at its place. Bounded, whoever shows how many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[tuple[str, ...], int], tuple[Sighting, float]] = {}

    def note(self, sighting: Sighting) -> None:
        place = (sighting.addresses, sighting.mesh_port)
        self._seen.pop(place, None)
        self._seen[place] = (sighting, self._clock.monotonic())
        if len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    def still(self, neighbours: Collection[str]) -> tuple[Sighting, ...]:
        """Those that may be there. Where nobody answers any more, one is forgotten after a while."""
        now = self._clock.monotonic()
        for place, (sighting, at) in tuple(self._seen.items()):
            if not set(neighbours).isdisjoint(sighting.addresses):
                self._seen[place] = (sighting, now)
            elif now - at >= SEEN_FOR:
                del self._seen[place]
        return tuple(sighting for sighting, _ in self._seen.values())


class MdnsService:
    """The second way to find each other. `poke` after anything changed that decides what is shown."""

    spec = ServiceSpec("mdns", ORDER, stop_within=6.0)

    def __init__(self, scene: Scene, clock: Clock, randomness: Randomness) -> None:
        self._scene = scene
        self._mdns = Mdns(self._saw, clock, randomness)
        self._seen = Seen(clock)
        self._wake = asyncio.Event()
        self._said: tuple[object, ...] = ()
        self.why = ""

    def poke(self) -> None:
        self._wake.set()

    async def run(self, life: Life) -> None:
        try:
            await working(life, "mdns", follow=self._follow())
        finally:
            self._said = ()
            await self._mdns.stop()

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN)

    async def _look(self) -> None:
        scene = self._scene
        nics, ports = await asyncio.to_thread(scene.nics), scene.ports()
        if not scene.wanted() or not nics or not ports.mesh:
            await self._mdns.stop()
            self._said = ()
            return
        addresses = tuple(nic.address for nic in nics)
        await self._show(Service(scene.tag(), ports.mesh, ports.swarm, __version__, addresses), nics)
        for sighting in self._seen.still(scene.addresses()):
            self._tell(sighting)

    async def _show(self, service: Service, nics: tuple[Nic, ...]) -> None:
        if self._said == (service, nics) and self._mdns.shown:  # else somebody claimed our names: try again
            return
        try:
            await self._mdns.update(service, nics)
            self._said, self.why = (service, nics), ""
        except NoMdnsError as error:
            if error.message != self.why:
                log.info("nobody is found by mDNS: %s", error.message)
            self._said, self.why = (), error.message  # nothing is shown now, not even what was before

    def _saw(self, sighting: Sighting) -> None:
        self._seen.note(sighting)
        self._tell(sighting)

    def _tell(self, sighting: Sighting) -> None:
        self._scene.sighted(sighting.addresses, sighting.mesh_port, sighting.tag)
