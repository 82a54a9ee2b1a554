import asyncio

import pytest

from thorp.access.capabilities import WiderThanYoursError, offers, what_is_wider
from thorp.access.credentials import parse
from thorp.access.keys import BadKeyError, KeyRing, NoSuchKeyError, RevokedKeyError
from thorp.access.live import CutError
from thorp.base.tasks import TaskScope
from thorp.identity.grants import KeyGrant
from thorp.identity.principals import Principal, PrincipalKind, keyed, owner
from thorp.identity.scopes import Scope, UnknownScopeError
from thorp.testing.shelves import MemoryKeyShelf
from thorp.wire.capabilities.keys import KEYS_CREATE, KEYS_LIST, KEYS_REVOKE, KeyId, KeyRequest
from thorp.wire.capability import Call, Nothing
from thorp.wire.changes import KeysChanged


class Desk:
    """The offers, called as the bus calls them."""

    def __init__(self, house) -> None:
        self.told: list[KeysChanged] = []
        self.offers = {one.capability.id: one for one in offers(house.ring, house.live_calls, self.told.append)}

    def call(self, capability, request, principal: Principal):
        return self.offers[capability.id].unary(Call(request, principal, "r1"))

    def create(self, principal: Principal, name: str = "laptop", **wishes):
        return asyncio.run(self.call(KEYS_CREATE, KeyRequest(name=name, **wishes), principal))

    def list(self):
        return asyncio.run(self.call(KEYS_LIST, Nothing(), owner())).keys

    def revoke(self, key_id: str):
        return asyncio.run(self.call(KEYS_REVOKE, KeyId(id=key_id), owner()))


async def stream(house, key_id: str, running: asyncio.Event) -> str:
    """Runs on a key until that is cut, and says why."""
    try:
        with house.live_calls.call(key_id):
            running.set()
            await asyncio.Event().wait()
    except CutError as error:
        return error.message


@pytest.fixture
def desk(house) -> Desk:
    return Desk(house)


def test_a_key_is_shown_once_and_then_listed_without_its_secret(house, desk: Desk) -> None:
    made = desk.create(
        owner(), scopes=("models:read", "inference"), models=("a",), rpm=60, expires="2030-01-31T12:00:00+01:00"
    )

    assert house.ring.match(parse(made.key)).id == made.id
    assert (made.scopes, made.models, made.rpm) == ((Scope.INFERENCE, Scope.MODELS_READ), ("a",), 60)
    assert (made.created, made.expires) == ("2023-11-14T22:13:20.000Z", "2030-01-31T11:00:00.000Z")
    (listed,) = desk.list()
    assert listed.model_dump(exclude={"revoked"}) == made.model_dump(exclude={"key"})
    assert listed.revoked is None
    assert parse(made.key).secret not in repr(listed)


def test_without_a_wish_a_key_opens_inference_and_nothing_else(desk: Desk) -> None:
    made = desk.create(owner())

    assert (made.scopes, made.models, made.rpm, made.expires) == ((Scope.INFERENCE,), (), None, None)


def test_a_revoked_key_is_listed_with_its_moment(house, desk: Desk) -> None:
    made = desk.create(owner())
    house.clock.advance(60)

    assert desk.revoke(made.id).revoked == "2023-11-14T22:14:20.000Z"
    assert [row.revoked for row in desk.list()] == ["2023-11-14T22:14:20.000Z"]


def test_watchers_are_told(desk: Desk) -> None:
    made = desk.create(owner())
    desk.revoke(made.id)

    assert desk.told == [KeysChanged(id=made.id, what="created"), KeysChanged(id=made.id, what="revoked")]


def test_nobody_is_told_of_what_did_not_happen(desk: Desk) -> None:
    with pytest.raises(NoSuchKeyError):
        desk.revoke("k00000000")
    with pytest.raises(BadKeyError):
        desk.create(owner(), name="")

    assert desk.told == []


def test_A20_revoking_ends_the_calls_of_the_key(house, desk: Desk) -> None:
    async def story() -> str:
        made = await desk.call(KEYS_CREATE, KeyRequest(name="laptop"), owner())
        running = asyncio.Event()

        async with TaskScope("stream") as scope:
            task = scope.start("stream", stream(house, made.id, running))
            await running.wait()
            await desk.call(KEYS_REVOKE, KeyId(id=made.id), owner())
            with pytest.raises(RevokedKeyError):
                house.ring.match(parse(made.key))
            return await task

    assert asyncio.run(story()) == "The key of this call was revoked."


@pytest.mark.parametrize("victim", ["", "o", "s0000000a"])
def test_A20_revoking_what_is_no_key_ends_no_call(house, desk: Desk, victim: str) -> None:
    """The owner's own calls and those of a session run on ids that name no key."""

    async def story() -> bool:
        running = asyncio.Event()
        async with TaskScope("stream") as scope:
            task = scope.start("stream", stream(house, victim, running))
            await running.wait()
            with pytest.raises(NoSuchKeyError):
                await desk.call(KEYS_REVOKE, KeyId(id=victim), owner())
            return task.done() or bool(task.cancelling())

    assert not asyncio.run(story())


def test_A20_revoking_a_key_ends_the_calls_of_the_keys_it_made_and_tells_of_each(house, desk: Desk) -> None:
    async def story() -> str:
        maker = await desk.call(KEYS_CREATE, KeyRequest(name="a", scopes=("keys:write",)), owner())
        parent = keyed(maker.id, frozenset({Scope.KEYS_WRITE}))
        child = await desk.call(KEYS_CREATE, KeyRequest(name="b", scopes=("keys:write",)), parent)
        assert (maker.made_by, child.made_by) == (None, maker.id)
        running = asyncio.Event()
        async with TaskScope("stream") as scope:
            task = scope.start("stream", stream(house, child.id, running))
            await running.wait()
            await desk.call(KEYS_REVOKE, KeyId(id=maker.id), owner())
            assert [one.id for one in desk.told if one.what == "revoked"] == [maker.id, child.id]
            return await task

    assert asyncio.run(story()) == "The key of this call was revoked."


def test_A20_a_revocation_whose_caller_has_gone_still_ends_the_calls_of_the_key(house) -> None:
    class Slow(MemoryKeyShelf):
        def __init__(self) -> None:
            super().__init__()
            self.asked = asyncio.Event()

        async def revoke_key(self, key_id: str, now: float) -> bool:
            self.asked.set()
            await asyncio.Event().wait()
            return await super().revoke_key(key_id, now)

    async def story() -> str:
        shelf = Slow()
        house.ring = KeyRing(shelf, house.clock, house.randomness)
        desk, running = Desk(house), asyncio.Event()
        made = await desk.call(KEYS_CREATE, KeyRequest(name="laptop"), owner())

        async with TaskScope("stream") as scope:
            streaming = scope.start("stream", stream(house, made.id, running))
            await running.wait()
            revoking = scope.start("revoke", desk.call(KEYS_REVOKE, KeyId(id=made.id), owner()))
            await shelf.asked.wait()
            revoking.cancel()
            return await streaming

    assert asyncio.run(story()) == "The key of this call was revoked."


def test_unknown_scopes_and_moments_are_named(desk: Desk) -> None:
    with pytest.raises(UnknownScopeError, match="Did you mean `inference`"):
        desk.create(owner(), scopes=("inferense",))
    for text in ("tomorrow", "2030-01-31", "2030-01-31T12:00:00", "2030-13-01T00:00:00Z", ""):
        with pytest.raises(BadKeyError, match="is no moment"):
            desk.create(owner(), expires=text)


@pytest.mark.parametrize("text", ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00"])
def test_an_expiry_nobody_can_live_by_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(BadKeyError, match="lies in the future, and before the year 10000"):
        desk.create(owner(), expires=text)
    assert desk.list() == ()


def minted_by(house, desk: Desk, **wishes) -> Principal:
    """A key that may make keys, as the principal of its calls."""
    made = desk.create(owner(), scopes=("keys:write", "inference"), **wishes)
    grant = house.ring.match(parse(made.key))
    return keyed(grant.id, grant.scopes, grant.models)


def test_a_key_makes_keys_as_narrow_as_itself(house, desk: Desk) -> None:
    parent = minted_by(house, desk, models=("a", "b"), rpm=10, expires="2030-01-01T00:00:00Z")

    made = desk.create(parent, scopes=("inference",), models=("a",), rpm=10, expires="2030-01-01T00:00:00Z")

    assert made.scopes == (Scope.INFERENCE,)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"scopes": ("inference", "config:write")}, "lacks `config:write`"),
        ({"models": ()}, "only a, b"),
        ({"models": ("a", "c")}, "only a, b"),
        ({"rpm": 11}, "10 times a minute"),
        ({"rpm": None}, "10 times a minute"),
        ({"expires": "2030-01-01T00:00:01Z"}, "expires at 2030-01-01T00:00:00.000Z"),
        ({"expires": None}, "expires at 2030-01-01T00:00:00.000Z"),
    ],
)
def test_a_key_makes_no_key_wider_than_itself(house, desk: Desk, wishes: dict[str, object], says: str) -> None:
    parent = minted_by(house, desk, models=("a", "b"), rpm=10, expires="2030-01-01T00:00:00Z")
    narrow = {"scopes": ("inference",), "models": ("a",), "rpm": 1, "expires": "2029-01-01T00:00:00Z"}

    with pytest.raises(WiderThanYoursError, match=says) as caught:
        desk.create(parent, **(narrow | wishes))

    assert (caught.value.code, caught.value.status) == ("access.wider_than_yours", 403)
    assert len(desk.list()) == 1


def test_who_is_neither_owner_nor_key_makes_none(desk: Desk) -> None:
    with pytest.raises(WiderThanYoursError, match="is no key"):
        desk.create(Principal(PrincipalKind.TOKEN, "t", scopes=frozenset(Scope)))


def test_an_unlimited_key_limits_only_scopes() -> None:
    own = KeyGrant("k1", "n", bytes(32), frozenset({Scope.INFERENCE}), 0.0)

    assert what_is_wider(own, frozenset({Scope.INFERENCE}), ("a",), None, None) is None
    assert what_is_wider(own, frozenset({Scope.METRICS}), (), 1, 1.0) == "it lacks `metrics`"
