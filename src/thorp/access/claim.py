"""How a browser becomes the owner's: a one-time code, shown only to who already holds the node.

The first code claims the node, once and for ever; later ones sign further browsers in. A guesser burns the codes that
are live, never the owner's way to make another.

A code counts at home only, unless it was made to count anywhere: it passes through the arguments of a browser, which
every user of the machine may read. Who asks from elsewhere neither uses nor burns the codes of the house.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Final

from thorp.access.credentials import CROCKFORD, CredentialKind, crockford
from thorp.access.live import LiveCalls
from thorp.access.ports import ClaimShelf, SessionShelf
from thorp.access.sessions import CUT_REASON, drawn
from thorp.base.clock import Clock, Randomness
from thorp.base.errors import BusyError, ConflictError, UnauthenticatedError
from thorp.identity.grants import SessionGrant

CODE_CHARACTERS: Final = 8
CODE_SECONDS: Final = 15 * 60.0
TRIES: Final = 10
MOST_CODES: Final = 8  # live at once; a newer one takes the place of the oldest
LONGEST_TYPED: Final = 64
MISREAD: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


class WrongCodeError(UnauthenticatedError):
    """A code that is not, or no longer, a live one."""

    code = "access.wrong_code"


class CodeBurnedError(BusyError):
    """Too many wrong guesses; the code is void."""

    code = "access.code_burned"
    fault = "rate_limited"


class AlreadyClaimedError(ConflictError):
    """A node that has its owner's first browser already."""

    code = "access.already_claimed"


class NotClaimedError(ConflictError):
    """A login before the first claim."""

    code = "access.not_claimed"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """What is shown to the owner. Only its hash stays here."""

    text: str
    expires: float  # wall clock, for people


@dataclass(frozen=True, slots=True)
class KeptCode:
    digest: bytes
    until: float  # monotonic
    anywhere: bool
    tries: int = TRIES

    def counts(self, *, at_home: bool) -> bool:
        """Whether it can be used, and burned, from there."""
        return at_home or self.anywhere


class CodeBook:
    """The codes that may still be used for one purpose. Every wrong guess counts against each of them."""

    def __init__(self) -> None:
        self._codes: tuple[KeptCode, ...] = ()

    def put(self, text: str, now: float, *, anywhere: bool) -> None:
        kept = KeptCode(digest_of(text), now + CODE_SECONDS, anywhere)
        self._codes = (*unexpired(self._codes, now), kept)[-MOST_CODES:]

    def use(self, typed: str, now: float, *, at_home: bool) -> None:
        """Return if this was a live code, which it now no longer is."""
        codes, text = unexpired(self._codes, now), normal(typed)
        right, self._codes = guessed(codes, digest_of(text), at_home=at_home) if text else (False, codes)
        if not right:
            raise refusal(self._codes, at_home=at_home)


def unexpired(codes: tuple[KeptCode, ...], now: float) -> tuple[KeptCode, ...]:
    """Codes before their end; burned ones too, so that a guesser is told to stop."""
    return tuple(one for one in codes if now < one.until)


def refusal(codes: tuple[KeptCode, ...], *, at_home: bool) -> WrongCodeError | CodeBurnedError:
    """What to say. From elsewhere it is the same for a code that counts at home as for one that counts nowhere."""
    tries = [one.tries for one in codes if one.counts(at_home=at_home)]
    remedy = "`thorp open` makes a new one." if at_home else "`thorp open --anywhere` makes one that counts here."
    if tries and not any(tries):
        return CodeBurnedError(f"Too many wrong codes; what was open is void. {remedy}")
    left = f"{max(tries)} tries are left." if tries else "None is open now."
    where = "" if at_home else " from here"
    return WrongCodeError(f"This code is not valid{where}. {left} {remedy}", tries_left=max(tries, default=0))


def guessed(codes: tuple[KeptCode, ...], digest: bytes, *, at_home: bool) -> tuple[bool, tuple[KeptCode, ...]]:
    """Whether a usable code was named, and what is left. Looks at every code, whatever the answer."""
    hits = [hmac.compare_digest(one.digest, digest) and one.tries > 0 and one.counts(at_home=at_home) for one in codes]
    if any(hits):
        return True, tuple(one for one, hit in zip(codes, hits, strict=True) if not hit)
    return False, tuple(
        replace(one, tries=max(0, one.tries - 1)) if one.counts(at_home=at_home) else one for one in codes
    )


def normal(typed: str) -> str | None:
    """A typed code in its one spelling; None when it cannot be one, which costs no try."""
    if len(typed) > LONGEST_TYPED or not typed.isascii():
        return None
    text = typed.lower().translate(MISREAD)
    return text if len(text) == CODE_CHARACTERS and set(text) <= set(CROCKFORD) else None


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()


class ClaimDesk:
    """Hands out codes and takes them back for sessions."""

    def __init__(
        self,
        claim_shelf: ClaimShelf,
        session_shelf: SessionShelf,
        live_calls: LiveCalls,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._claim_shelf = claim_shelf
        self._session_shelf = session_shelf
        self._live_calls = live_calls
        self._clock = clock
        self._randomness = randomness
        self._claim_codes = CodeBook()
        self._login_codes = CodeBook()

    def claimed(self) -> bool:
        return self._claim_shelf.claimed()

    def claim_code(self, *, anywhere: bool = False) -> OneTimeCode:
        self._refuse_when_claimed()
        return self._new_code(self._claim_codes, anywhere=anywhere)

    def mint_login_code(self, *, anywhere: bool = False) -> OneTimeCode:
        if not self.claimed():
            raise NotClaimedError("This node is not claimed yet. `thorp open` claims it for your browser.")
        return self._new_code(self._login_codes, anywhere=anywhere)

    async def claim(
        self, code: str, kind: CredentialKind = CredentialKind.SESSION, *, at_home: bool
    ) -> tuple[SessionGrant, str]:
        """The first session, for exactly one caller ever, and its token."""
        self._refuse_when_claimed()
        self._claim_codes.use(code, self._clock.monotonic(), at_home=at_home)
        session, token = drawn(self._clock, self._randomness, kind)
        if not await self._claim_shelf.claim(session):
            raise self._already()
        return session, token

    async def login(
        self, code: str, kind: CredentialKind = CredentialKind.SESSION, *, at_home: bool
    ) -> tuple[SessionGrant, str]:
        self._login_codes.use(code, self._clock.monotonic(), at_home=at_home)
        session, token = drawn(self._clock, self._randomness, kind)
        await self._session_shelf.add_session(session)
        return session, token

    async def end_session(self, session_id: str) -> bool:
        """End a login and everything that runs on it. False: there was no such live one."""
        try:
            return await self._session_shelf.end_session(session_id, self._clock.wall())
        finally:  # also when nobody waits for the answer any more: what was asked for is done nevertheless
            if any(one.id == session_id for one in self._session_shelf.sessions()):  # the owner's token is no session
                self._live_calls.cut(session_id, CUT_REASON)

    def _new_code(self, book: CodeBook, *, anywhere: bool) -> OneTimeCode:
        text = crockford(self._randomness, CODE_CHARACTERS).upper()
        book.put(text.lower(), self._clock.monotonic(), anywhere=anywhere)
        return OneTimeCode(text, self._clock.wall() + CODE_SECONDS)

    def _refuse_when_claimed(self) -> None:
        if self.claimed():
            raise self._already()

    def _already(self) -> AlreadyClaimedError:
        return AlreadyClaimedError("This node is claimed already. `thorp open` signs another browser in.")
