"""What access needs from others: shelves that keep grants, and the facts `net` learned about a connection.

A shelf holds a snapshot in memory, fresh after each acknowledged write, so that asking who is calling never waits.
"""

from typing import Literal, Protocol

from thorp.identity.grants import KeyGrant, SessionGrant


class KeyShelf(Protocol):
    async def add_key(self, grant: KeyGrant) -> None: ...

    async def revoke_key(self, key_id: str, now: float) -> bool:
        """Revoke a key and all that was made with it; an expired one too.

        False: there is no such key, or it was revoked before.
        """
        ...

    def keys(self) -> tuple[KeyGrant, ...]:
        """Every key, revoked ones too. Of dead ones a shelf may forget the oldest."""
        ...


class SessionShelf(Protocol):
    async def add_session(self, grant: SessionGrant) -> None: ...

    async def end_session(self, session_id: str, now: float) -> bool:
        """False: there is no such session, or it was ended before. An expired one can be ended."""
        ...

    async def end_other_sessions(self, kept: str, now: float) -> tuple[str, ...]:
        """End every session but one, expired ones too; all of them or none. The answer: who was alive."""
        ...

    def sessions(self) -> tuple[SessionGrant, ...]: ...


class ClaimShelf(Protocol):
    def claimed(self) -> bool: ...

    async def claim(self, session: SessionGrant) -> bool:
        """Keep the claim and its session, both or neither. False: somebody was first."""
        ...


class ListenerFacts(Protocol):
    """`scope["state"]["thorp.listener"]`."""

    @property
    def kind(self) -> Literal["local", "socket", "exposed", "mesh", "tracker"]: ...

    @property
    def tls(self) -> bool: ...


class PeerFacts(Protocol):
    """`scope["state"]["thorp.peer"]`."""

    @property
    def same_user(self) -> bool | None:
        """None: not known for sure."""
        ...

    @property
    def at_home(self) -> bool:
        """On this machine, and our own user as far as the system can tell users apart."""
        ...
