"""Rights that were handed out: API keys and dashboard sessions. Records only; who keeps them is `store`'s matter."""

from dataclasses import dataclass

from thorp.identity.scopes import Scope


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """An API key as it is kept: never the secret, only its SHA-256."""

    id: str
    name: str
    secret_hash: bytes
    scopes: frozenset[Scope]
    created: float
    models: tuple[str, ...] = ()
    rpm: int | None = None
    expires: float | None = None
    revoked: float | None = None
    made_by: str | None = None  # the key that made this one; it lives and spends within that one

    def alive(self, now: float) -> bool:
        return self.revoked is None and (self.expires is None or now < self.expires)


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """A dashboard login. It acts as the owner until it expires or is ended."""

    id: str
    secret_hash: bytes
    created: float
    expires: float
    ended: float | None = None

    def alive(self, now: float) -> bool:
        return self.ended is None and now < self.expires
