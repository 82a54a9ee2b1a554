"""Both ends of joining: what an inviter does with a request, and what a joiner does with an invite.

The inviter hands the household's secret over after both proofs, and never says why somebody without a proof is refused.
"""

import logging
from typing import Final, TypeVar, cast

from pydantic import ValidationError

from thorp.base.clock import Randomness
from thorp.base.errors import IntegrityError, UsageError
from thorp.identity.ids import NodeId, parse_node_id
from thorp.identity.keys import NodeKey
from thorp.mesh.household import Household
from thorp.mesh.invites import NONCE_BYTES, InviteBook, Proven, refused, used
from thorp.mesh.ports import Connection
from thorp.mesh.replies import read_reply
from thorp.wire.announce import LanKey
from thorp.wire.household import bytes_of_text, text_of_bytes
from thorp.wire.invites import Invite, invite_id
from thorp.wire.joining import (
    JoinBegin,
    JoinChallenge,
    JoinProof,
    JoinWelcome,
    Transcript,
    is_proof,
    proof,
    sign_transcript,
)
from thorp.wire.model import Message
from thorp.wire.strictjson import parse_json

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
PATH: Final = "/mesh/v1/join"
LARGEST_WELCOME: Final = 64 * 1024
SECONDS: Final = 20.0


class NotTheInviterError(IntegrityError):
    """Whoever answered did not prove to know the invite."""

    code = "invites.not_the_inviter"


class JoinDesk:
    """The inviter's end."""

    def __init__(self, household: Household, book: InviteBook) -> None:
        self._household = household
        self._book = book

    async def answer(self, body: bytes) -> JoinChallenge | JoinWelcome:
        """The next word of the exchange, or a refusal."""
        try:
            if step_of(body) == "begin":
                begin = JoinBegin.model_validate_json(body)
                parse_node_id(begin.node)
                return self._book.begin(begin)
            given = JoinProof.model_validate_json(body)
        except (ValidationError, UsageError):
            raise refused() from None
        return await self._welcome(given)

    async def _welcome(self, given: JoinProof) -> JoinWelcome:
        if not self._household.is_founder:
            raise refused()
        proven = self._book.prove(given, self._household.community)
        if proven.again:  # let in once; whoever was removed since, or is being removed, stays out
            await self._household.settled()
            return self._given(proven)
        joiner = proven.said.joiner
        try:
            await self._household.add_member(joiner, proven.said.name)
        except BaseException:
            self._book.give_back(proven)
            raise
        log.info("%s joined the household", joiner)
        return self._given(proven)

    def _given(self, proven: Proven) -> JoinWelcome:
        now = self._household.standing
        if now.roster.community != proven.said.community:  # this node went elsewhere meanwhile
            raise refused()
        if proven.said.joiner not in now.roster.nodes:  # removed while it was being let in
            raise used()
        return JoinWelcome(
            proof=proof(proven.secret, "inviter", proven.said),
            household=now.signed,
            epoch=now.lan.epoch,
            secret=text_of_bytes(now.lan.secret),
        )


def step_of(body: bytes) -> object:
    """Which of the two requests it is; anything else is taken for the second, and refused as one."""
    read = parse_json(body)
    return cast("dict[str, object]", read).get("step") if isinstance(read, dict) else None


class Joiner:
    """The joiner's end, over one connection that is pinned to the inviter. Blocks."""

    def __init__(self, key: NodeKey, name: str, randomness: Randomness) -> None:
        self._key = key
        self._name = name
        self._randomness = randomness

    def join(self, line: Connection, invite: Invite) -> tuple[JoinWelcome, LanKey]:
        """What the inviter gave, after it proved to be who made the invite."""
        nonce, named = text_of_bytes(self._randomness.bytes(NONCE_BYTES)), invite_id(invite.secret)
        begin = JoinBegin(
            community=invite.community, invite=named, node=self._key.node_id, name=self._name, nonce=nonce
        )
        challenge = self._ask(line, begin, JoinChallenge)
        said = Transcript(
            invite.community, named, NodeId(invite.node), self._key.node_id, self._name, challenge.nonce, nonce
        )
        shown = JoinProof(
            invite=named,
            nonce=challenge.nonce,
            proof=proof(invite.secret, "joiner", said),
            signature=sign_transcript(self._key, said),
        )
        welcome = self._ask(line, shown, JoinWelcome)
        if not is_proof(welcome.proof, invite.secret, "inviter", said):
            raise NotTheInviterError("Whoever answered does not know this invite. Nothing was changed.")
        return welcome, LanKey(welcome.epoch, bytes_of_text(welcome.secret))

    def _ask(self, line: Connection, word: Message, wanted: type[M]) -> M:
        body = word.model_dump_json().encode()
        return read_reply(line.ask("POST", PATH, body=body, largest=LARGEST_WELCOME, seconds=SECONDS), wanted)
