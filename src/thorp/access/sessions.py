"""Dashboard logins: 256-bit tokens that act as the owner until they expire or are ended."""

from typing import Final

from thorp.access.credentials import Credential, CredentialKind, hash_of, new_id, new_secret, written
from thorp.access.ports import SessionShelf
from thorp.access.register import Register
from thorp.base.clock import Clock, Randomness
from thorp.base.errors import NotFoundError, UnauthenticatedError
from thorp.identity.grants import SessionGrant

SESSION_SECONDS: Final = 30 * 24 * 3600.0
CUT_REASON: Final = "The login of this call was ended."


class SessionOverError(UnauthenticatedError):
    """A login that ended, expired, or never was."""

    code = "access.session_over"
    fault = "expired"


class NoSuchSessionError(NotFoundError):
    """A session id that names no session."""

    code = "access.no_such_session"


def drawn(
    clock: Clock, randomness: Randomness, kind: CredentialKind = CredentialKind.SESSION
) -> tuple[SessionGrant, str]:
    """A new session, kept nowhere yet, and its token."""
    secret, now = new_secret(randomness), clock.wall()
    grant = SessionGrant(new_id(kind, randomness), hash_of(secret), now, now + SESSION_SECONDS)
    return grant, written(grant.id, secret)


class SessionBook:
    def __init__(self, shelf: SessionShelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._register = Register(shelf.sessions)

    def find(self, session_id: str) -> SessionGrant | None:
        return self._register.find(session_id)

    def live(self) -> tuple[SessionGrant, ...]:
        """Who is signed in, the oldest login first."""
        now = self._clock.wall()
        alive = (grant for grant in self._shelf.sessions() if grant.alive(now))
        return tuple(sorted(alive, key=lambda grant: (grant.created, grant.id)))

    def named(self, session_id: str) -> SessionGrant:
        """The session with this id, dead or alive."""
        if grant := self.find(session_id):
            return grant
        raise NoSuchSessionError(
            f"There is no session `{session_id[:40]}`. `thorp sessions list` shows all.", id=session_id[:40]
        )

    async def end_others(self, kept: str) -> tuple[str, ...]:
        """End every session but this one. Answers which were alive until now."""
        return await self._shelf.end_other_sessions(kept, self._clock.wall())

    def match(self, credential: Credential) -> SessionGrant:
        """The live session behind a credential."""
        grant = self._register.holder(credential)
        if grant is None or not grant.alive(self._clock.wall()):
            raise SessionOverError("This login has ended. `thorp open` signs a browser in again.")
        return grant
