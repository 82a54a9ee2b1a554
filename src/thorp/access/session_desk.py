"""What access offers on the bus for dashboard sessions: the owner sees who is signed in, and signs them out."""

from collections.abc import Callable

from thorp.access.claim import ClaimDesk
from thorp.access.live import LiveCalls
from thorp.access.sessions import CUT_REASON, SessionBook
from thorp.base.errors import UsageError
from thorp.base.moments import rfc3339
from thorp.identity.grants import SessionGrant
from thorp.wire.capabilities.sessions import (
    SESSIONS_END,
    SESSIONS_LIST,
    EndedAnswer,
    SessionRow,
    SessionsAnswer,
    SessionsEnd,
)
from thorp.wire.capability import Call, Nothing, Offer
from thorp.wire.changes import SessionsChanged


class WhichSessionError(UsageError):
    """An end for no session, or for one and the others at once."""

    code = "access.which_session"


def offers(
    book: SessionBook, claims: ClaimDesk, live_calls: LiveCalls, announce: Callable[[SessionsChanged], None]
) -> tuple[Offer, ...]:
    desk = SessionDesk(book, claims, live_calls, announce)
    return (Offer(SESSIONS_LIST, unary=desk.list), Offer(SESSIONS_END, unary=desk.end))


class SessionDesk:
    def __init__(
        self, book: SessionBook, claims: ClaimDesk, live_calls: LiveCalls, announce: Callable[[SessionsChanged], None]
    ) -> None:
        self._book = book
        self._claims = claims
        self._live_calls = live_calls
        self._announce = announce

    async def list(self, call: Call[Nothing]) -> SessionsAnswer:
        this = call.principal.credential
        return SessionsAnswer(sessions=tuple(row(grant, this) for grant in self._book.live()))

    async def end(self, call: Call[SessionsEnd]) -> EndedAnswer:
        match call.input:
            case SessionsEnd(id=str(session_id), others=False):
                named = self._book.named(session_id).id
                ended = (named,) if await self._claims.end_session(named) else ()
            case SessionsEnd(id=None, others=True):
                ended = await self._end_others(call.principal.credential)
            case _:
                raise WhichSessionError("Name one session by its `id`, or say `others`: exactly one of the two.")
        if ended:
            self._announce(SessionsChanged(ended=ended))
        return EndedAnswer(ended=ended)

    async def _end_others(self, this: str) -> tuple[str, ...]:
        over = {grant.id for grant in self._book.live()} - {this}
        try:
            ended = await self._book.end_others(this)
            over.update(ended)  # one may have signed in meanwhile
            return ended
        finally:  # also when nobody waits for the answer any more: what was asked for is done nevertheless
            for session_id in over:
                self._live_calls.cut(session_id, CUT_REASON)


def row(grant: SessionGrant, this: str) -> SessionRow:
    return SessionRow(
        id=grant.id, created=rfc3339(grant.created), expires=rfc3339(grant.expires), this=grant.id == this
    )
