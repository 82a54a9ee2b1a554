"""Keeps the roster new: asks whoever seems to know more, and takes what the founder signed."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from thorp.base.errors import ThorpError
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import TaskScope
from thorp.identity.ids import NodeId
from thorp.mesh.household import Household
from thorp.mesh.replies import NeighbourRefusedError
from thorp.net.mesh_line import Target
from thorp.wire.announce import LanKey
from thorp.wire.household import HouseholdAnswer, bytes_of_text

log = logging.getLogger(__name__)

MOST_WAITING: Final = 32
REMOVED: Final = "mesh.removed"


class Asks(Protocol):
    """What `mesh.calls.Neighbourhood` does for this. Blocks."""

    def household(self, target: Target) -> HouseholdAnswer: ...


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who seems to have a newer roster."""

    address: str
    mesh_port: int
    node: NodeId | None  # None: any member


class Rosters:
    """A service. `wants` may be called as often as one likes; who waits already is not asked twice."""

    spec = ServiceSpec("rosters", 37)

    def __init__(self, household: Household, asks: Asks, usual_port: int) -> None:
        self._household = household
        self._asks = asks
        self._usual_port = usual_port
        self._waiting: dict[Lead, None] = {}
        self._wake = asyncio.Event()
        self.notice = ""  # what the owner should know; empty: nothing

    def wants(self, address: str, mesh_port: int, node: NodeId | None) -> None:
        """Ask there for the roster, soon. Port 0: the one that nodes usually have."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting[Lead(address, mesh_port or self._usual_port, node)] = None
            self._wake.set()

    async def run(self, life: Life) -> None:
        async with TaskScope("rosters") as scope:
            scope.start("follow", self._follow())
            life.ready()
            await life.until_stop()

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                lead = next(iter(self._waiting))
                del self._waiting[lead]
                await self.ask(lead)

    async def ask(self, lead: Lead) -> bool:
        """Whether something new came of it."""
        expected = expected_at(lead, self._household.me, self._household.standing.roster.nodes)
        if not expected:
            return False
        try:
            answer = await asyncio.to_thread(self._asks.household, Target(lead.address, lead.mesh_port, expected))
            return await self._take(answer)
        except NeighbourRefusedError as error:
            if error.details.get("said") == REMOVED:
                self.notice = f"The node at {lead.address} says that this node was removed from the household."
            log.info("no roster from %s: %s", lead.address, error.message)
        except ThorpError as error:
            log.info("no roster from %s: %s", lead.address, error.message)
        return False

    async def _take(self, answer: HouseholdAnswer) -> bool:
        new = await self._household.accept_roster(answer.household)
        if answer.epoch is not None and answer.secret is not None:
            new = await self._household.accept_secret(LanKey(answer.epoch, bytes_of_text(answer.secret))) or new
        self.notice = ""
        return new


def expected_at(lead: Lead, me: NodeId, members: Iterable[NodeId]) -> frozenset[NodeId]:
    """Who may be there. A node nobody told us of is asked too: what it brings is signed, or worth nothing."""
    return frozenset(members if lead.node is None else (lead.node,)) - {me}
