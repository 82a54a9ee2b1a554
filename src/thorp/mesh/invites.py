"""The invites this node made. In memory, so that a restart voids them; each lets one node in, within its time.

Who cannot prove to know an invite's secret is told one sentence, whatever is wrong. Who can, learns what is.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import BusyError, ConflictError, NotAllowedError, ThorpError, UnauthenticatedError
from thorp.identity.ids import NodeId
from thorp.wire.household import text_of_bytes
from thorp.wire.invites import SECRET_BYTES, Invite, invite_id
from thorp.wire.joining import JoinBegin, JoinChallenge, JoinProof, Transcript, is_proof, verify_transcript

DAY: Final = 24 * 3600.0
TRIES: Final = 5
MOST_INVITES: Final = 64
MOST_CHALLENGES: Final = 256
CHALLENGE_SECONDS: Final = 300.0
NONCE_BYTES: Final = 32


class JoinRefusedError(UnauthenticatedError):
    """Somebody who did not prove to know an invite."""

    code = "invites.refused"


class InviteUsedError(ConflictError):
    """An invite that let another node in already."""

    code = "invites.used"


class InviteExpiredError(NotAllowedError):
    """An invite whose time is over."""

    code = "invites.expired"


class InviteBurntError(NotAllowedError):
    """An invite that was guessed at too often."""

    code = "invites.burnt"


class TooManyInvitesError(BusyError):
    """More open invites than a node keeps."""

    code = "invites.too_many"


@dataclass(eq=False, slots=True)
class Kept:
    """One invite and what became of it."""

    secret: bytes = field(repr=False)
    community: str
    until: float  # monotonic
    failures: int = 0
    used_by: NodeId | None = None

    def is_open(self, now: float) -> bool:
        return self.used_by is None and self.failures < TRIES and now < self.until


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody who may join."""

    said: Transcript
    secret: bytes = field(repr=False)
    again: bool = False  # it used this invite before


def used() -> InviteUsedError:
    return InviteUsedError("This invite was used already. Ask whoever invited you for a new one.")


def refused() -> JoinRefusedError:
    return JoinRefusedError("This node does not let you in. Ask whoever invited you for a new invite.")


class InviteBook:
    """Belongs to the loop. Nothing in it waits, so an invite is used by one node only."""

    def __init__(self, me: NodeId, clock: Clock, randomness: Randomness) -> None:
        self._me = me
        self._clock = clock
        self._randomness = randomness
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._begun: OrderedDict[str, tuple[JoinBegin, float]] = OrderedDict()

    def make(self, community: str, endpoints: tuple[str, ...], seconds: float = DAY) -> Invite:
        now = self._clock.monotonic()
        self._make_room(community, now)
        invite = Invite(self._me, community, endpoints, self._randomness.bytes(SECRET_BYTES))
        self._kept[invite_id(invite.secret)] = Kept(invite.secret, community, now + seconds)
        return invite

    def begin(self, begin: JoinBegin) -> JoinChallenge:
        """A nonce for whoever asks; whether there is such an invite shows at the proof."""
        nonce = text_of_bytes(self._randomness.bytes(NONCE_BYTES))
        self._begun[nonce] = (begin, self._clock.monotonic() + CHALLENGE_SECONDS)
        while len(self._begun) > MOST_CHALLENGES:
            self._begun.popitem(last=False)
        return JoinChallenge(nonce=nonce)

    def prove(self, given: JoinProof, community: str) -> Proven:
        """Use an invite up for who proves to know it. The same node may come again, when the answer got lost."""
        now = self._clock.monotonic()
        begin, until = self._begun.pop(given.nonce, (None, 0.0))
        kept = self._kept.get(given.invite)
        if begin is None or now >= until or kept is None or begin.invite != given.invite or kept.community != community:
            raise refused()
        said = Transcript(community, given.invite, self._me, NodeId(begin.node), begin.name, given.nonce, begin.nonce)
        if not is_proof(given.proof, kept.secret, "joiner", said) or not _is_signed(said, given.signature):
            kept.failures += kept.is_open(now)
            raise refused()
        _refuse_spent(kept, said.joiner, now)
        again, kept.used_by = kept.used_by is not None, said.joiner
        return Proven(said, kept.secret, again)

    def is_waiting(self, community: str) -> bool:
        """Whether an invite into this household can still be used."""
        now = self._clock.monotonic()
        return any(kept.is_open(now) and kept.community == community for kept in self._kept.values())

    def give_back(self, proven: Proven) -> None:
        """It could not be let in after all; the invite is as good as before."""
        kept = self._kept.get(proven.said.invite)
        if kept is not None and not proven.again:
            kept.used_by = None

    def _make_room(self, community: str, now: float) -> None:
        """Forget the oldest invites that nobody can use any more, those of a household we left among them."""
        spent = [name for name, kept in self._kept.items() if not kept.is_open(now) or kept.community != community]
        for name in spent[: max(0, len(self._kept) - MOST_INVITES + 1)]:
            del self._kept[name]
        if len(self._kept) >= MOST_INVITES:
            raise TooManyInvitesError(f"{MOST_INVITES} invites are open. Wait until some are used or expire.")


def _is_signed(said: Transcript, signature: str) -> bool:
    try:
        verify_transcript(said, signature)
    except ThorpError:
        return False
    return True


def _refuse_spent(kept: Kept, joiner: NodeId, now: float) -> None:
    again = "Ask whoever invited you for a new one."
    if kept.failures >= TRIES:
        raise InviteBurntError(f"This invite is void: somebody tried to guess it {TRIES} times. {again}")
    if now >= kept.until:
        raise InviteExpiredError(f"This invite has expired. {again}")
    if kept.used_by not in (None, joiner):
        raise used()
