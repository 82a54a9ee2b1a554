"""Dashboard logins: 256-bit tokens that act as the owner until they expire or are ended."""

from typing import Final

from thorp.access.credentials import Credential, CredentialKind, hash_of, new_id, new_secret, written
from thorp.access.ports import SessionShelf
from thorp.access.register import Register
from thorp.base.clock import Clock, Randomness
from thorp.base.errors import UnauthenticatedError
from thorp.identity.grants import SessionGrant

SESSION_SECONDS: Final = 30 * 24 * 3600.0


class SessionOverError(UnauthenticatedError):
    """A login that ended, expired, or never was."""

    code = "access.session_over"
    fault = "expired"


def drawn(clock: Clock, randomness: Randomness) -> tuple[SessionGrant, str]:
    """A new session, kept nowhere yet, and its token."""
    secret, now = new_secret(randomness), clock.wall()
    grant = SessionGrant(new_id(CredentialKind.SESSION, randomness), hash_of(secret), now, now + SESSION_SECONDS)
    return grant, written(grant.id, secret)


class SessionBook:
    def __init__(self, shelf: SessionShelf, clock: Clock) -> None:
        self._clock = clock
        self._register = Register(shelf.sessions)

    def find(self, session_id: str) -> SessionGrant | None:
        return self._register.find(session_id)

    def match(self, credential: Credential) -> SessionGrant:
        """The live session behind a credential."""
        grant = self._register.holder(credential)
        if grant is None or not grant.alive(self._clock.wall()):
            raise SessionOverError("This login has ended. `thorp open` signs a browser in again.")
        return grant
