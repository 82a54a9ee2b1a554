"""What the household offers on the bus: for the owner to look at and decide, and for `models` to find bytes."""

import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import ConflictError, NotFoundError, ThorpError, TryAgainError
from thorp.base.moments import rfc3339
from thorp.identity.ids import NodeId
from thorp.mesh.calls import Neighbourhood
from thorp.mesh.household import Household, NotFounderError
from thorp.mesh.invites import InviteBook
from thorp.mesh.lists import Lists, target_of
from thorp.mesh.ports import Heard, Place, Voice
from thorp.mesh.threads import CallThreads
from thorp.mesh.types import Neighbour
from thorp.wire.capabilities.lan import (
    HearingRow,
    HouseholdRow,
    InterfaceRow,
    LanInviteAnswer,
    LanInviteRequest,
    LanJoinAnswer,
    LanJoinRequest,
    LanPeersAnswer,
    LanRemoveAnswer,
    LanRemoveRequest,
    LanStatusAnswer,
    PeerRow,
)
from thorp.wire.capabilities.sharing import (
    MOST_NEIGHBOURS,
    LanHeads,
    LanTorrent,
    LanTorrentRequest,
    NeighbourModels,
)
from thorp.wire.capability import Call, Nothing
from thorp.wire.household import Member
from thorp.wire.invites import MOST_ENDPOINTS, endpoint_of, link_of, parse_link

log = logging.getLogger(__name__)

HOUR: Final = 3600.0
MOST_TRIED: Final = 8  # neighbours, for one torrent


class HasMembersError(ConflictError):
    """Joining another household would leave one that has other members."""

    code = "household.has_members"


class AlreadyInError(ConflictError):
    """An invite into the household this node is in, or of its own."""

    code = "household.already_in"


class NotReachableError(TryAgainError):
    """A node that nobody could reach to use its invite."""

    code = "household.not_reachable"


class NobodyHasItError(NotFoundError):
    """No neighbour that is here gives that torrent."""

    code = "household.nobody_has_it"


@dataclass(frozen=True, slots=True)
class LanDesk:
    household: Household
    invites: InviteBook
    neighbourhood: Neighbourhood
    lists: Lists
    heard: Heard
    voice: Voice
    place: Place
    clock: Clock
    notice: Callable[[], str]
    proves: Callable[[bytes, str], bool]  # whether a torrent is one of ours with that infohash
    open_door: Callable[[], Awaitable[None]]  # make sure that the mesh listener answers
    threads: CallThreads

    async def status(self, _call: Call[Nothing]) -> LanStatusAnswer:
        hearing, rows = self.voice.hearing(), self._rows()
        return LanStatusAnswer(
            node=self.household.me,
            name=self.place.name(),
            household=self._household_row(),
            heard=HearingRow(by=hearing.by, why=hearing.why),
            interfaces=tuple(
                InterfaceRow(
                    name=one.name, address=one.address, multicast=one.multicast, broadcast=one.broadcast, why=one.why
                )
                for one in hearing.interfaces
            ),
            neighbours=tuple(row for row in rows if row.here and not row.this),
            refused=dict(self.heard.refused()),
            notice=self.notice(),
        )

    async def peers(self, _call: Call[Nothing]) -> LanPeersAnswer:
        return LanPeersAnswer(peers=self._rows())

    async def invite(self, call: Call[LanInviteRequest]) -> LanInviteAnswer:
        roster = self.household.standing.roster
        if not self.household.is_founder:
            who = self.household.name_of(roster.founder)
            raise NotFounderError(f"Only the founder of this household lets others in: run this on `{who}`.")
        await self.open_door()
        port = self.place.mesh_port()
        endpoints = tuple(endpoint_of(one, port) for one in self.place.addresses()[:MOST_ENDPOINTS])
        if not port or not endpoints:
            raise NotReachableError(
                "No other machine could use an invite now: this node's mesh listener is closed, or it has no address "
                "in a network of the house. `thorp lan status` says more."
            )
        seconds = call.input.hours * HOUR
        made = self.invites.make(roster.community, endpoints, seconds)
        expires = rfc3339(self.clock.wall() + seconds)
        return LanInviteAnswer(link=link_of(made), expires=expires, community=roster.community)

    async def join(self, call: Call[LanJoinRequest]) -> LanJoinAnswer:
        invite, now = parse_link(call.input.link), self.household.standing.roster
        if invite.node == self.household.me or (self.household.is_founder and invite.community == now.community):
            raise AlreadyInError("This invite leads into the household that this node is in already.")
        # The same household is no other one: who was removed from it, and does not know yet, comes back this way.
        await self.open_door()  # what it could not do as a member either is refused first
        others = 0 if invite.community == now.community else len(now.members) - 1
        if others and not call.input.yes:
            whose = "founded here" if self.household.is_founder else "it is in"
            raise HasMembersError(
                f"This node would leave the household {whose}, which has {others} other member(s). "
                "Say yes to that explicitly if it is meant.",
                community=now.community,
                members=others,
            )
        signed, lan = await self.threads.run(self.neighbourhood.join, invite)
        await self.household.enter(signed, lan, invite.node, invite.community)
        roster = self.household.standing.roster
        return LanJoinAnswer(
            community=roster.community,
            founder=roster.founder,
            founder_name=self.household.name_of(roster.founder),
            members=len(roster.members),
            left=now.community if others else None,
        )

    async def remove(self, call: Call[LanRemoveRequest]) -> LanRemoveAnswer:
        member = self.household.find(call.input.node)
        await self.household.remove(NodeId(member.node))
        return LanRemoveAnswer(node=member.node, name=member.name, epoch=self.household.standing.roster.epoch)

    async def heads(self, _call: Call[Nothing]) -> LanHeads:
        every = (await self.lists.every())[:MOST_NEIGHBOURS]
        return LanHeads(
            neighbours=tuple(NeighbourModels(node=one.node, name=one.name, models=models) for one, models in every)
        )

    async def torrent(self, call: Call[LanTorrentRequest]) -> LanTorrent:
        """From the first neighbour whose torrent is what it should be."""
        wanted = call.input.infohash
        for neighbour in (await self._holders(wanted))[:MOST_TRIED]:
            try:
                content = await self.threads.run(self.neighbourhood.torrent, target_of(neighbour), wanted)
            except ThorpError as error:
                log.info("no torrent from %s: %s", neighbour.node, error.message)
                continue
            if await self.threads.run(self.proves, content, wanted):
                return LanTorrent(content=base64.b64encode(content).decode("ascii"), node=neighbour.node)
            log.warning("%s gave a torrent that is not the one it was asked for", neighbour.node)
        raise NobodyHasItError("No neighbour that is here gives the torrent of that infohash.")

    async def _holders(self, infohash: str) -> list[Neighbour]:
        return [
            neighbour
            for neighbour, models in await self.lists.every()
            if any(file.infohash == infohash for model in models for file in model.files)
        ]

    def _household_row(self) -> HouseholdRow:
        now = self.household.standing
        return HouseholdRow(
            community=now.roster.community,
            founder=now.roster.founder,
            founder_name=self.household.name_of(now.roster.founder),
            founded_here=self.household.is_founder,
            version=now.roster.version,
            epoch=now.roster.epoch,
            has_secret=now.is_current,
            members=len(now.roster.members),
        )

    def _rows(self) -> tuple[PeerRow, ...]:
        here = {one.node: one for one in self.heard.around().neighbours}
        return tuple(self._row(member, here.get(NodeId(member.node))) for member in self.household.members())

    def _row(self, member: Member, here: Neighbour | None) -> PeerRow:
        this = member.node == self.household.me
        bare = PeerRow(
            node=member.node,
            name=member.name,
            this=this,
            founder=member.node == self.household.standing.roster.founder,
            since=rfc3339(member.since),
            here=this or here is not None,
        )
        if here is None:
            return bare
        return bare.model_copy(
            update={
                "address": here.address,
                "mesh_port": here.mesh_port,
                "swarm_port": here.swarm_port,
                "models": here.count if here.list_digest else None,
                "heard_s": round(max(0.0, self.clock.monotonic() - here.heard), 1),
                "by": here.by,
            }
        )
