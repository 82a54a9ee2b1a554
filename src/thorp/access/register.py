"""Finds the grant a credential belongs to. Whether the grant is still good is for others to judge."""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from thorp.access.credentials import Credential, proves


class Grant(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def secret_hash(self) -> bytes: ...


GrantT = TypeVar("GrantT", bound=Grant)
NO_HASH = bytes(32)


class Register(Generic[GrantT]):
    """An index over a shelf's snapshot, made anew when the shelf has another snapshot."""

    def __init__(self, snapshot: Callable[[], tuple[GrantT, ...]]) -> None:
        self._snapshot = snapshot
        self._indexed: tuple[GrantT, ...] = ()
        self._by_id: Mapping[str, GrantT] = {}

    def find(self, grant_id: str) -> GrantT | None:
        current = self._snapshot()
        if current is not self._indexed:
            self._indexed, self._by_id = current, {grant.id: grant for grant in current}
        return self._by_id.get(grant_id)

    def holder(self, credential: Credential) -> GrantT | None:
        """The grant whose secret was shown, dead or alive. An unknown id costs the same time as a wrong secret."""
        grant = self.find(credential.id)
        return grant if proves(credential, grant.secret_hash if grant else NO_HASH) else None
