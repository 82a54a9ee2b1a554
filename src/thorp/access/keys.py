"""API keys: made, listed, revoked and recognised. A key's secret leaves this module once, when it is made."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from thorp.access.credentials import Credential, CredentialKind, hash_of, new_id, new_secret, written
from thorp.access.ports import KeyShelf
from thorp.access.register import Register
from thorp.base.clock import Clock, Randomness
from thorp.base.errors import ConflictError, NotFoundError, UnauthenticatedError, UsageError
from thorp.base.moments import rfc3339
from thorp.identity.grants import KeyGrant
from thorp.identity.scopes import Scope

LONGEST_NAME: Final = 64
LARGEST_RPM: Final = 1_000_000
MOST_KEYS: Final = 1_000  # live ones
LATEST: Final = 253_402_300_799.0  # 9999-12-31T23:59:59Z; RFC 3339 cannot write a later moment


class UnknownKeyError(UnauthenticatedError):
    """A credential that this node never made, or a wrong secret."""

    code = "access.unknown_key"


class ExpiredKeyError(UnauthenticatedError):
    """A key after its last day."""

    code = "access.expired_key"
    fault = "expired"


class RevokedKeyError(UnauthenticatedError):
    """A key that was taken back."""

    code = "access.revoked_key"
    fault = "revoked"


class NoSuchKeyError(NotFoundError):
    """A key id that names no key."""

    code = "access.no_such_key"


class BadKeyError(UsageError):
    """A key that cannot be made as asked."""

    code = "access.bad_key"


class TooManyKeysError(ConflictError):
    """More live keys than a node keeps."""

    code = "access.too_many_keys"


class KeyRing:
    def __init__(self, shelf: KeyShelf, clock: Clock, randomness: Randomness) -> None:
        self._shelf = shelf
        self._clock = clock
        self._randomness = randomness
        self._register = Register(shelf.keys)

    async def create(  # noqa: PLR0913  (what a key is, all of it)
        self,
        name: str,
        scopes: frozenset[Scope],
        models: tuple[str, ...] = (),
        rpm: int | None = None,
        expires: float | None = None,
        *,
        made_by: str | None = None,
    ) -> tuple[KeyGrant, str]:
        """The grant, and the key itself, which nobody can show again."""
        now = self._clock.wall()
        if problem := problem_with(name, scopes, models, rpm) or problem_with_expiry(expires, now):
            raise BadKeyError(problem)
        if sum(grant.alive(now) for grant in self.list()) >= MOST_KEYS:
            raise TooManyKeysError(
                f"This node has {MOST_KEYS} live keys already. Revoke some with `thorp keys revoke`."
            )
        secret = new_secret(self._randomness)
        grant = KeyGrant(
            id=new_id(CredentialKind.KEY, self._randomness),
            name=name,
            secret_hash=hash_of(secret),
            scopes=scopes,
            created=now,
            models=models,
            rpm=rpm,
            expires=expires,
            made_by=made_by,
        )
        await self._shelf.add_key(grant)
        return grant, written(grant.id, secret)

    def list(self) -> tuple[KeyGrant, ...]:
        return tuple(sorted(self._shelf.keys(), key=lambda grant: (grant.created, grant.id)))

    def find(self, key_id: str) -> KeyGrant | None:
        return self._register.find(key_id)

    def line(self, key_id: str) -> Iterator[KeyGrant]:
        """A key, the one that made it, and so on up to one that the owner made."""
        grant = self.find(key_id)
        while grant:
            yield grant
            grant = self.find(grant.made_by or "")

    def family(self, key_id: str) -> tuple[str, ...]:
        """A key and every one that was made with it, however far down. Empty: there is no such key."""
        made: defaultdict[str | None, list[str]] = defaultdict(list)
        for grant in self.list():
            made[grant.made_by].append(grant.id)
        found = [key_id] if self.find(key_id) else []
        for one in found:
            found.extend(made[one])
        return tuple(found)

    async def revoke(self, key_id: str) -> float:
        """When the key was revoked, and all that was made with it. Revoking twice is the same as once."""
        await self._shelf.revoke_key(key_id, self._clock.wall())
        grant = self.find(key_id)
        if grant is None or grant.revoked is None:
            raise NoSuchKeyError(f"There is no key `{key_id[:40]}`. `thorp keys list` shows all.", id=key_id[:40])
        return grant.revoked

    def match(self, credential: Credential) -> KeyGrant:
        """The live key behind a credential. Only who knows the secret learns that a key expired or was revoked."""
        grant = self._register.holder(credential)
        if grant is None:
            raise UnknownKeyError("This key is not one of this node. `thorp keys create` makes one.")
        for one in self.line(grant.id):  # a key made while its maker was being revoked is dead too
            if one.revoked is not None:
                raise RevokedKeyError(f"The key {one.id} was revoked at {rfc3339(one.revoked)}.", id=one.id)
        if grant.expires is not None and not grant.alive(self._clock.wall()):
            raise ExpiredKeyError(f"The key {grant.id} expired at {rfc3339(grant.expires)}.", id=grant.id)
        return grant


def problem_with(name: str, scopes: frozenset[Scope], models: tuple[str, ...], rpm: int | None) -> str | None:
    """Why such a key cannot be made, or None."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        return f"A key's name has 1 to {LONGEST_NAME} printable characters and no space at its ends."
    if not scopes:
        return "A key without a scope opens nothing. Name at least one, for example `inference`."
    if not all(model and model.isprintable() for model in models):
        return "A model's name has printable characters only, and at least one."
    if rpm is not None and not 1 <= rpm <= LARGEST_RPM:
        return f"Requests per minute go from 1 to {LARGEST_RPM}, not {rpm}."
    return None


def problem_with_expiry(expires: float | None, now: float) -> str | None:
    if expires is not None and not now < expires <= LATEST:
        return "A key's expiry lies in the future, and before the year 10000."
    return None
