"""Where this node is on its networks, and who of its household is around: asked by everything that meets neighbours."""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from thorp.app.settings import Settings
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import owner
from thorp.mesh.calls import Neighbourhood
from thorp.mesh.lists import target_of
from thorp.mesh.ports import Incoming
from thorp.mesh.types import Around, Neighbour
from thorp.models.offered import NotAroundError
from thorp.models.ports import Stop
from thorp.net.addresses import is_any
from thorp.net.interfaces import Nic, lan_interfaces, on_a_network
from thorp.wire.household import fit_name
from thorp.wire.model import Message

NOT_NOW: Final = "This node does not look for its neighbours now."


SETTLES: Final = 4.0  # seconds after the start; who goes on with a pull then is not to take nobody for an answer


def over() -> threading.Event:
    """Something that has happened."""
    event = threading.Event()
    event.set()
    return event


@dataclass(eq=False, slots=True)
class NodePlace:
    """Satisfies `mesh.ports.Place`."""

    settings: Callable[[], Settings]
    mesh: Callable[[], int]  # the port of the mesh listener; 0 while it is closed
    swarm: Callable[[], int]  # the port of the engine; 0 while none runs

    def name(self) -> str:
        return fit_name(self.settings().node.shown_name(socket.gethostname()))

    def nics(self) -> tuple[Nic, ...]:
        """The networks of the household. A listener on one address is on that one alone."""
        settings = self.settings()
        host = settings.mesh.host
        nics = lan_interfaces(settings.lan.interfaces if is_any(host) else (host,))
        return nics if is_any(host) else tuple(one for one in nics if one.address == host)

    def addresses(self) -> tuple[str, ...]:
        return tuple(nic.address for nic in self.nics())

    def mesh_port(self) -> int:
        return self.mesh()

    def swarm_port(self) -> int:
        return self.swarm()


@dataclass(eq=False, slots=True)
class Present:
    """Who is here, as the loop said last. Replaced as a whole, so any thread may look."""

    around: Around = field(default_factory=Around)
    nics: tuple[Nic, ...] = ()

    def peers(self) -> tuple[tuple[str, int], ...]:
        """Where members take part in the swarm."""
        return tuple((one.address, one.swarm_port) for one in self._near() if one.swarm_port)

    def addresses(self) -> frozenset[str]:
        return frozenset(one.address for one in self._near())

    def _near(self) -> tuple[Neighbour, ...]:
        return tuple(one for one in self.around.neighbours if on_a_network(one.address, self.nics))


@dataclass(frozen=True, slots=True)
class LanFiles:
    """Satisfies `models.ports.NeighbourBytes`."""

    present: Present
    neighbourhood: Neighbourhood

    def read(self, node: str, sha256: str, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        found = next((one for one in self.present.around.neighbours if one.node == node and one.mesh_port), None)
        if found is None:
            raise NotAroundError("A neighbour that had the file is not around any more.")
        return self.neighbourhood.file(target_of(found), sha256, first, end, stop)


@dataclass(eq=False, slots=True)
class Asking:
    """Questions to the bus from threads. Before `loop` is set nobody answers."""

    bus: Bus
    loop: asyncio.AbstractEventLoop | None = None
    settled: threading.Event = field(default_factory=over)  # neighbours had time to say that they are here

    def __call__(self, name: str, given: Mapping[str, object]) -> Message:
        self.settled.wait(SETTLES)
        if self.loop is None:
            raise NotAroundError(NOT_NOW)
        question = self.bus.call(Order(name, owner(), given))
        try:
            asked = asyncio.run_coroutine_threadsafe(question, self.loop)
        except RuntimeError as closed:  # the node ends
            question.close()
            raise NotAroundError(NOT_NOW) from closed
        try:
            return asked.result()
        except CancelledError as ended:
            raise NotAroundError(NOT_NOW) from ended
