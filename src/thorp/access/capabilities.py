"""What access offers on the bus: keys. Nobody hands out more than they hold."""

from collections.abc import Callable
from typing import Final

from thorp.access.keys import BadKeyError, KeyRing
from thorp.access.live import LiveCalls
from thorp.base.errors import NotAllowedError
from thorp.base.moments import rfc3339, seconds_of
from thorp.identity.grants import KeyGrant
from thorp.identity.scopes import Scope, parse_scopes
from thorp.wire.capabilities.keys import (
    KEYS_CREATE,
    KEYS_LIST,
    KEYS_REVOKE,
    KeyId,
    KeyRequest,
    KeyRow,
    KeysAnswer,
    NewKeyAnswer,
    RevokedAnswer,
)
from thorp.wire.capability import Call, Nothing, Offer
from thorp.wire.changes import KeysChanged

CUT_REASON: Final = "The key of this call was revoked."


class WiderThanYoursError(NotAllowedError):
    """A key that asked for a key with more rights than its own."""

    code = "access.wider_than_yours"


def offers(ring: KeyRing, live_calls: LiveCalls, announce: Callable[[KeysChanged], None]) -> tuple[Offer, ...]:
    desk = KeyDesk(ring, live_calls, announce)
    return (
        Offer(KEYS_CREATE, unary=desk.create),
        Offer(KEYS_LIST, unary=desk.list),
        Offer(KEYS_REVOKE, unary=desk.revoke),
    )


class KeyDesk:
    def __init__(self, ring: KeyRing, live_calls: LiveCalls, announce: Callable[[KeysChanged], None]) -> None:
        self._ring = ring
        self._live_calls = live_calls
        self._announce = announce

    async def create(self, call: Call[KeyRequest]) -> NewKeyAnswer:
        asked, scopes, expires = call.input, parse_scopes(call.input.scopes), moment(call.input.expires)
        maker = None if call.principal.is_owner else call.principal.credential
        if maker is not None:
            own = self._ring.find(maker)
            if wider := what_is_wider(own, scopes, asked.models, asked.rpm, expires):
                raise WiderThanYoursError(f"A key cannot make a key that opens more than itself: {wider}.")
        grant, key = await self._ring.create(asked.name, scopes, asked.models, asked.rpm, expires, made_by=maker)
        self._announce(KeysChanged(id=grant.id, what="created"))
        return NewKeyAnswer(key=key, **row(grant).model_dump(exclude={"revoked"}))

    async def list(self, _call: Call[Nothing]) -> KeysAnswer:
        return KeysAnswer(keys=tuple(row(grant) for grant in self._ring.list()))

    async def revoke(self, call: Call[KeyId]) -> RevokedAnswer:
        key_id = call.input.id
        try:
            revoked = await self._ring.revoke(key_id)
        finally:  # also when nobody waits for the answer any more: what was asked for is done nevertheless
            family = self._ring.family(key_id)  # empty, where the id is not a key's: sessions have ids too
            for one in family:
                self._live_calls.cut(one, CUT_REASON)
        for one in family:
            self._announce(KeysChanged(id=one, what="revoked"))
        return RevokedAnswer(id=key_id, revoked=rfc3339(revoked))


def what_is_wider(
    own: KeyGrant | None, scopes: frozenset[Scope], models: tuple[str, ...], rpm: int | None, expires: float | None
) -> str | None:
    """In which respect a wanted key would open more than the one that asks for it, or None."""
    if own is None:
        return "this caller is no key"
    if more := scopes - own.scopes:
        return "it lacks " + ", ".join(f"`{scope}`" for scope in sorted(more))
    if own.models and not (models and set(models) <= set(own.models)):
        return "it may use only " + ", ".join(own.models)
    if own.rpm is not None and (rpm is None or rpm > own.rpm):
        return f"it may ask {own.rpm} times a minute"
    if own.expires is not None and (expires is None or expires > own.expires):
        return f"it expires at {rfc3339(own.expires)}"
    return None


def moment(text: str | None) -> float | None:
    try:
        return None if text is None else seconds_of(text)
    except (ValueError, OverflowError):
        raise BadKeyError(f"`{text}` is no moment; write one like `2030-01-31T12:00:00Z`.") from None


def row(grant: KeyGrant) -> KeyRow:
    return KeyRow(
        id=grant.id,
        name=grant.name,
        scopes=tuple(sorted(grant.scopes)),
        models=grant.models,
        rpm=grant.rpm,
        created=rfc3339(grant.created),
        expires=None if grant.expires is None else rfc3339(grant.expires),
        revoked=None if grant.revoked is None else rfc3339(grant.revoked),
        made_by=grant.made_by,
    )
