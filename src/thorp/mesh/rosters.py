"""Keeps the roster new: asks whoever seems to know more, and takes what the founder signed."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from thorp.base.errors import IntegrityError, ThorpError
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import TaskScope
from thorp.identity.ids import NodeId
from thorp.mesh.household import Household
from thorp.mesh.replies import NeighbourRefusedError
from thorp.mesh.threads import CallThreads
from thorp.net.mesh_line import Target
from thorp.wire.announce import LanKey
from thorp.wire.household import HouseholdAnswer, Roster, bytes_of_text

log = logging.getLogger(__name__)

MOST_WAITING: Final = 32  # leads to strangers
PLACES_EACH: Final = 2  # where one member is looked for
AT_ONCE: Final = 4
STRANGERS_AT_ONCE: Final = AT_ONCE - 1  # so that there is always somebody free to ask a member
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


Place = tuple[str, NodeId | None]
Waiting = Mapping[Place, Lead]


class Rosters:
    """A service. `wants` may be called as often as one likes; who waits already is not asked twice."""

    spec = ServiceSpec("rosters", 37)

    def __init__(self, household: Household, asks: Asks, usual_port: int, threads: CallThreads) -> None:
        self._household = household
        self._asks = asks
        self._usual_port = usual_port
        self._threads = threads
        self._waiting: dict[Place, Lead] = {}
        self._asked: list[Lead] = []  # just now
        self._claimed: dict[NodeId, int] = {}  # the highest version a member says it has
        self._hollow: dict[NodeId, int] = {}  # the highest one that nothing came of
        self._wake = asyncio.Event()
        self.notice = ""  # what the owner should know; empty: nothing

    def wants(self, address: str, mesh_port: int, node: NodeId | None) -> None:
        """Ask there for the roster, soon. Port 0: the one that nodes usually have."""
        self._waiting[address, node] = Lead(address, mesh_port or self._usual_port, node)
        for place in too_many(self._waiting, self._household.standing.roster.nodes):
            del self._waiting[place]
        self._wake.set()

    def believes(self, node: NodeId, version: int) -> bool:
        """Whether to ask a member for the version it says it has; not again for one that it did not give."""
        roster = self._household.standing.roster
        if node not in roster.nodes or version <= max(roster.version, self._hollow.get(node, 0)):
            return False
        self._claimed = {one: claimed for one, claimed in self._claimed.items() if one in roster.nodes}
        self._claimed[node] = max(version, self._claimed.get(node, 0))
        return True

    async def run(self, life: Life) -> None:
        async with TaskScope("rosters") as scope:
            for number in range(AT_ONCE):
                scope.start(f"follow {number}", self._follow())
            life.ready()
            await life.until_stop()

    async def _follow(self) -> None:
        while True:
            roster = self._household.standing.roster if self._waiting else None
            lead = next_lead(self._waiting, self._asked, roster) if roster else None
            if lead is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            del self._waiting[lead.address, lead.node]
            self._asked.append(lead)
            try:
                await self.ask(lead)
            finally:
                self._asked.remove(lead)
                self._wake.set()

    async def ask(self, lead: Lead) -> bool:
        """Whether something new came of it."""
        expected = expected_at(lead, self._household.me, self._household.standing.roster.nodes)
        if not expected:
            return False
        try:
            answer = await self._threads.run(self._asks.household, Target(lead.address, lead.mesh_port, expected))
            return await self._take(lead, answer)
        except NeighbourRefusedError as error:
            if error.details.get("said") == REMOVED:
                self.notice = (
                    f"The node at {lead.address} says that the founder removed this node from the household. "
                    "A new invite of the founder lets it in again."
                )
            self._judge(lead.node)
            log.info("no roster from %s: %s", lead.address, error.message)
        except ThorpError as error:
            if isinstance(error, IntegrityError):  # what it gave is worth nothing
                self._judge(lead.node)
            log.info("no roster from %s: %s", lead.address, error.message)
        return False

    def _judge(self, node: NodeId | None) -> None:
        """What a member claimed to have and did not give, although it answered, it does not have."""
        roster = self._household.standing.roster
        claimed = self._claimed.pop(node, 0) if node is not None else 0
        if node is not None and node in roster.nodes and claimed > roster.version:
            self._hollow = {one: version for one, version in self._hollow.items() if one in roster.nodes}
            self._hollow[node] = claimed

    async def _take(self, lead: Lead, answer: HouseholdAnswer) -> bool:
        new = await self._household.accept_roster(answer.household)
        if answer.epoch is not None and answer.secret is not None:
            new = await self._household.accept_secret(LanKey(answer.epoch, bytes_of_text(answer.secret))) or new
        self.notice = ""
        self._judge(lead.node)
        return new


def next_lead(waiting: Waiting, asked: Collection[Lead], roster: Roster) -> Lead | None:
    """The founder first, then members, then strangers; who is being asked already has to wait."""
    members = roster.nodes
    busy = {one.node or one.address for one in asked}
    strangers_too = sum(one.node not in members for one in asked) < STRANGERS_AT_ONCE
    free = [
        lead
        for lead in waiting.values()
        if (lead.node or lead.address) not in busy and (strangers_too or lead.node in members)
    ]
    return min(free, key=lambda lead: (lead.node != roster.founder, lead.node not in members), default=None)


def too_many(waiting: Waiting, members: Collection[NodeId]) -> list[Place]:
    """What falls out: the newest of too many strangers, and a member's oldest places. A member always finds room."""
    strangers = [place for place in waiting if place[1] not in members]
    known = [place for place in waiting if place[1] in members]
    spent = [place for at, place in enumerate(known) if sum(other[1] == place[1] for other in known[at:]) > PLACES_EACH]
    return strangers[MOST_WAITING:] + spent


def expected_at(lead: Lead, me: NodeId, members: Iterable[NodeId]) -> frozenset[NodeId]:
    """Who may be there. A node nobody told us of is asked too: what it brings is signed, or worth nothing."""
    return frozenset(members if lead.node is None else (lead.node,)) - {me}
