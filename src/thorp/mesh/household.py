"""The household of this node: who is in it, the secret they share, and how both change.

Every node begins as the founder of a household of one. The founder alone adds and removes; everybody else takes the
newest roster that the founder signed, from whoever has it. A roster never goes back, and a secret has to fit it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import ConflictError, NotAllowedError, NotFoundError, ThorpError, TryAgainError
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.ports import HouseholdShelf
from thorp.mesh.types import GRACE_SECONDS, Kept, Standing, Turn
from thorp.wire.announce import SECRET_BYTES, LanKey
from thorp.wire.household import (
    MOST_MEMBERS,
    MOST_REMOVED,
    BadRosterError,
    Member,
    Roster,
    SignedRoster,
    fit_name,
    secret_digest,
    sign_roster,
    verify_roster,
)

COMMUNITY_BYTES: Final = 16
SHORTEST_BEGINNING: Final = 4  # of an id, to name a member by


class NotFounderError(NotAllowedError):
    """Only who founded a household says who belongs to it."""

    code = "household.not_founder"


class NoSuchMemberError(NotFoundError):
    """Nobody of that id or name is in the household."""

    code = "household.no_such_member"


class HouseholdFullError(ConflictError):
    """A household with as many members as it can have."""

    code = "household.full"


class FounderStaysError(ConflictError):
    """The founder cannot be removed from its own household."""

    code = "household.founder_stays"


class NotBegunError(TryAgainError):
    """The household is not loaded yet."""

    code = "household.not_begun"


class Household:
    """Belongs to the loop. What it answers is frozen, so threads may ask too."""

    def __init__(
        self, key: NodeKey, name: Callable[[], str], shelf: HouseholdShelf, clock: Clock, randomness: Randomness
    ) -> None:
        self._key = key
        self._name = name
        self._shelf = shelf
        self._clock = clock
        self._randomness = randomness
        self._changing = asyncio.Lock()
        self._watchers: list[Callable[[Turn], None]] = []
        self._standing: Standing | None = None
        self.trouble = "this node is still looking up its household"

    async def begin(self) -> None:
        """Take up what was kept, or found a household of one."""
        async with self._changing:
            try:
                kept = await asyncio.to_thread(self._shelf.load)
                standing = self._found() if kept is None else self._taken_up(kept)
                await self._put(standing, save=kept is None or standing.signed != kept.signed)
            except ThorpError as error:
                self.trouble = error.message
                raise

    @property
    def is_begun(self) -> bool:
        return self._standing is not None

    def watch(self, told: Callable[[Turn], None]) -> None:
        """Be told of every change, in the loop, after it is on disk."""
        self._watchers.append(told)

    @property
    def standing(self) -> Standing:
        if self._standing is None:
            raise NotBegunError(f"The household of this node is not known: {self.trouble.rstrip('.')}.")
        return self._standing

    @property
    def me(self) -> NodeId:
        return self._key.node_id

    @property
    def community(self) -> str:
        return self.standing.roster.community

    @property
    def is_founder(self) -> bool:
        return self.standing.roster.founder == self.me

    @property
    def is_alone(self) -> bool:
        return len(self.standing.roster.members) == 1

    @property
    def lan(self) -> LanKey:
        """The secret to seal with."""
        return self.standing.lan

    def is_member(self, node: str) -> bool:
        return node in self.standing.names

    def members(self) -> tuple[Member, ...]:
        return self.standing.roster.members

    def name_of(self, node: str) -> str:
        return self.standing.names.get(node, "")

    def find(self, word: str) -> Member:
        """The member that an id, a name, or the beginning of an id means."""
        members = self.members()
        bare = word.removeprefix("ed25519:")
        ids = {one.node.removeprefix("ed25519:"): one for one in members}
        if bare in ids:  # before the names: a member may call itself by the id of another
            return ids[bare]
        close = [one for text, one in ids.items() if len(bare) >= SHORTEST_BEGINNING and text.startswith(bare)]
        found = [one for one in members if one.name == word] or close
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(one.node for one in found)
            raise NoSuchMemberError(f"`{word[:80]}` may mean several members: {several}. Name one by its id.")
        raise NoSuchMemberError(f"No member of this household is called `{word[:80]}`. `thorp lan peers` lists them.")

    async def settled(self) -> None:
        """Return once every change that was begun before this is in force, or has failed."""
        async with self._changing:
            return

    async def add_member(self, node: NodeId, name: str) -> None:
        """The founder lets a node in. Somebody who is in already stays as they are."""
        async with self._changing:
            roster = self._mine_to_change()
            if node in roster.nodes:
                return
            if len(roster.members) >= MOST_MEMBERS:
                raise HouseholdFullError(f"This household has {MOST_MEMBERS} members, and more it cannot have.")
            new = Member(node=node, name=name, since=int(self._clock.wall()))
            removed = tuple(one for one in roster.removed if one != node)
            changed = roster.model_copy(
                update={"version": roster.version + 1, "members": (*roster.members, new), "removed": removed}
            )
            await self._put(replace(self.standing, signed=sign_roster(changed, self._key), roster=changed))

    async def remove(self, node: NodeId) -> None:
        """The founder takes a node out, and gives the others a new secret."""
        async with self._changing:
            roster = self._mine_to_change()
            if node == roster.founder:
                raise FounderStaysError("The founder of a household cannot be removed from it.")
            if node not in roster.nodes:
                raise NoSuchMemberError(f"{node} is not in this household. `thorp lan peers` lists who is.")
            lan = self._new_secret(max(roster.epoch, self.standing.lan.epoch) + 1)
            changed = roster.model_copy(
                update={
                    "version": roster.version + 1,
                    "epoch": lan.epoch,
                    "lan": secret_digest(lan),
                    "members": tuple(one for one in roster.members if one.node != node),
                    "removed": (*roster.removed, node)[-MOST_REMOVED:],
                }
            )
            await self._put(self._with_secret(sign_roster(changed, self._key), changed, lan))

    async def accept_roster(self, signed: SignedRoster) -> bool:
        """Take a roster that somebody brought, if it is newer and of our founder. False: it says nothing new.

        One without this node in it means that the founder removed it: then it founds a household of its own.
        """
        async with self._changing:
            roster, now = verify_roster(signed), self.standing
            if (roster.community, roster.founder) != (now.roster.community, now.roster.founder):
                raise BadRosterError("A roster is refused: it is that of another household.")
            if roster.version <= now.roster.version:
                return False
            if roster.epoch < now.roster.epoch:
                raise BadRosterError("A roster is refused: it goes back to an older secret.")
            if self.me not in roster.nodes:
                await self._put(self._found())
                return True
            await self._put(replace(now, signed=signed, roster=roster))
            return True

    async def accept_secret(self, lan: LanKey) -> bool:
        """Take the secret of the roster we have. False: we have it already, or it is of another epoch."""
        async with self._changing:
            now = self.standing
            if now.is_current or lan.epoch != now.roster.epoch:
                return False
            _refuse_wrong(lan, now.roster)
            await self._put(self._with_secret(now.signed, now.roster, lan))
            return True

    async def enter(self, signed: SignedRoster, lan: LanKey, founder: NodeId, community: str) -> None:
        """Leave the present household for one whose founder let this node in."""
        async with self._changing:
            roster = verify_roster(signed)
            if (roster.founder, roster.community) != (founder, community) or self.me not in roster.nodes:
                raise BadRosterError("The roster is not the one that the invite promised. Nothing was changed.")
            _refuse_wrong(lan, roster)
            await self._put(Standing(signed, roster, lan))

    def _mine_to_change(self) -> Roster:
        roster = self.standing.roster
        if roster.founder != self.me:
            who = self.name_of(roster.founder)
            raise NotFounderError(f"Only the founder decides who is in this household: ask `{who}`.")
        return roster

    def _found(self) -> Standing:
        lan = self._new_secret(1)
        me = Member(node=self.me, name=fit_name(self._name()), since=int(self._clock.wall()))
        roster = Roster(
            community=self._randomness.bytes(COMMUNITY_BYTES).hex(),
            founder=self.me,
            version=1,
            epoch=lan.epoch,
            lan=secret_digest(lan),
            members=(me,),
        )
        return Standing(sign_roster(roster, self._key), roster, lan)

    def _taken_up(self, kept: Kept) -> Standing:
        """What was kept, made whole where a crash or a backup left roster and secret of different moments."""
        roster = verify_roster(kept.signed)
        if self.me not in roster.nodes:
            raise BadRosterError("The household kept here is one without this node. Restore what belongs to it.")
        fits = kept.lan.epoch == roster.epoch and secret_digest(kept.lan) == roster.lan
        if fits or roster.founder != self.me:
            return Standing(kept.signed, roster, kept.lan)
        lan = self._new_secret(max(roster.epoch, kept.lan.epoch) + 1)
        changed = roster.model_copy(
            update={"version": roster.version + 1, "epoch": lan.epoch, "lan": secret_digest(lan)}
        )
        return Standing(sign_roster(changed, self._key), changed, lan)

    def _new_secret(self, epoch: int) -> LanKey:
        return LanKey(epoch, self._randomness.bytes(SECRET_BYTES))

    def _with_secret(self, signed: SignedRoster, roster: Roster, lan: LanKey) -> Standing:
        until = self._clock.monotonic() + GRACE_SECONDS
        return Standing(signed, roster, lan, before=self.standing.lan, before_until=until)

    async def _put(self, standing: Standing, *, save: bool = True) -> None:
        """On disk first, then in force, then told."""
        if save:
            await asyncio.to_thread(self._shelf.save, Kept(standing.signed, standing.lan))
        before = self._standing.roster.nodes if self._standing else frozenset[NodeId]()
        self._standing = replace(standing, names={one.node: one.name for one in standing.roster.members})
        nodes = standing.roster.nodes
        turn = Turn(standing.roster.community, standing.roster.epoch, nodes, before - nodes)
        for told in self._watchers:
            told(turn)


def _refuse_wrong(lan: LanKey, roster: Roster) -> None:
    if lan.epoch != roster.epoch or secret_digest(lan) != roster.lan:
        raise BadRosterError("A secret is refused: it is not the one that the founder's roster names.")
