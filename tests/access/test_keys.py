import asyncio
import re

import pytest

from thorp.access.credentials import hash_of, parse
from thorp.access.keys import (
    LATEST,
    MOST_KEYS,
    BadKeyError,
    ExpiredKeyError,
    KeyRing,
    NoSuchKeyError,
    RevokedKeyError,
    TooManyKeysError,
    UnknownKeyError,
)
from thorp.base.errors import UnauthenticatedError
from thorp.identity.grants import KeyGrant
from thorp.identity.scopes import Scope
from thorp.testing.shelves import MemoryKeyShelf
from thorp.wire.envelope import error_body

INFERENCE = frozenset({Scope.INFERENCE})


def test_a_new_key_is_recognised_and_its_secret_is_kept_as_a_hash_only(house) -> None:
    grant, text = asyncio.run(house.ring.create("laptop", INFERENCE, ("mistral:7b:instruct:q4_k_m",), rpm=60))

    assert re.fullmatch(r"thorp_k[0-9a-hjkmnp-tv-z]{8}_[A-Za-z0-9_-]{43}", text)
    assert house.ring.match(parse(text)) == grant
    assert grant.secret_hash == hash_of(parse(text).secret)
    assert parse(text).secret not in repr(house.shelves.keys.keys())
    assert (grant.name, grant.models, grant.rpm) == ("laptop", ("mistral:7b:instruct:q4_k_m",), 60)


def test_a_wrong_secret_and_an_unknown_id_look_the_same(house) -> None:
    text = asyncio.run(house.key())
    wrong_secret = text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "QQQQ")
    unknown_id = "thorp_k00000000_" + parse(text).secret

    said = []
    for one in (wrong_secret, unknown_id):
        with pytest.raises(UnknownKeyError) as caught:
            house.ring.match(parse(one))
        said.append(error_body(caught.value))

    assert said[0] == said[1]


def test_a_key_knows_whom_it_descends_from_and_what_it_made(house) -> None:
    async def story() -> list[str]:
        first, _ = await house.ring.create("a", INFERENCE)
        second, _ = await house.ring.create("b", INFERENCE, made_by=first.id)
        third, _ = await house.ring.create("c", INFERENCE, made_by=second.id)
        await house.ring.create("other", INFERENCE)
        return [first.id, second.id, third.id]

    ids = asyncio.run(story())

    assert [one.id for one in house.ring.line(ids[2])] == ids[::-1]
    assert house.ring.family(ids[0]) == tuple(ids)
    assert house.ring.family(ids[2]) == (ids[2],)
    assert house.ring.family("") == house.ring.family("s0000000a") == ()
    assert list(house.ring.line("")) == []


def test_A20_a_key_made_while_its_maker_was_being_revoked_is_dead(house) -> None:
    async def story() -> str:
        maker, _ = await house.ring.create("a", INFERENCE)
        await house.ring.revoke(maker.id)
        _, text = await house.ring.create("b", INFERENCE, made_by=maker.id)
        return text

    text = asyncio.run(story())

    with pytest.raises(RevokedKeyError):
        house.ring.match(parse(text))


def test_A20_a_revoked_key_is_dead_at_once_and_says_so_only_to_its_holder(house) -> None:
    text = asyncio.run(house.key())
    assert asyncio.run(house.ring.revoke(parse(text).id)) == house.clock.wall()

    with pytest.raises(RevokedKeyError, match="was revoked at 2023-11-14T22:13:20"):
        house.ring.match(parse(text))
    with pytest.raises(UnknownKeyError):
        house.ring.match(parse(f"thorp_{parse(text).id}_{'A' * 43}"))


def test_a_key_works_until_its_expiry_and_not_a_moment_longer(house) -> None:
    text = asyncio.run(house.key(expires=house.clock.wall() + 60))

    house.clock.advance(59.999)
    house.ring.match(parse(text))
    house.clock.advance(0.001)
    with pytest.raises(ExpiredKeyError, match="expired at 2023-11-14T22:14:20"):
        house.ring.match(parse(text))


@pytest.mark.parametrize("error", [UnknownKeyError, ExpiredKeyError, RevokedKeyError])
def test_every_dead_key_is_unauthenticated(error: type[UnauthenticatedError]) -> None:
    assert error.status == 401


def test_revoking_twice_keeps_the_first_moment(house) -> None:
    key_id = parse(asyncio.run(house.key())).id
    first = asyncio.run(house.ring.revoke(key_id))
    house.clock.advance(5)

    assert asyncio.run(house.ring.revoke(key_id)) == first


def test_an_expired_key_can_be_revoked(house) -> None:
    key_id = parse(asyncio.run(house.key(expires=house.clock.wall() + 1))).id
    house.clock.advance(2)

    assert asyncio.run(house.ring.revoke(key_id)) == house.clock.wall()


def test_an_unknown_key_cannot_be_revoked(house) -> None:
    with pytest.raises(NoSuchKeyError, match="There is no key `k00000000`"):
        asyncio.run(house.ring.revoke("k00000000"))


def test_keys_are_listed_oldest_first_dead_ones_too(house) -> None:
    for _ in range(3):
        asyncio.run(house.key())
        house.clock.advance(1)
    asyncio.run(house.ring.revoke(house.ring.list()[0].id))

    created = [grant.created for grant in house.ring.list()]

    assert created == sorted(created)
    assert [grant.revoked is None for grant in house.ring.list()] == [False, True, True]


@pytest.mark.parametrize("name", ["a", "x" * 64, "Küche 2", "日本"])
def test_names_people_give(house, name: str) -> None:
    grant, _ = asyncio.run(house.ring.create(name, INFERENCE))

    assert grant.name == name


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "a\x1b[31m", "tail ", "\u202egnirts", "a\0"])
def test_a_name_that_could_mislead_is_refused(house, name: str) -> None:
    with pytest.raises(BadKeyError, match="1 to 64 printable"):
        asyncio.run(house.ring.create(name, INFERENCE))


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"rpm": 0}, "from 1 to 1000000"),
        ({"rpm": -1}, "from 1 to 1000000"),
        ({"rpm": 1_000_001}, "from 1 to 1000000"),
        ({"expires": 1_700_000_000.0}, "in the future"),
        ({"expires": 0.0}, "in the future"),
        ({"expires": float("nan")}, "in the future"),
        ({"expires": float("inf")}, "before the year 10000"),
        ({"expires": LATEST + 1}, "before the year 10000"),
        ({"models": ("",)}, "printable"),
        ({"models": ("a\x1b[2J",)}, "printable"),
    ],
)
def test_a_senseless_wish_is_refused(house, wishes: dict[str, object], says: str) -> None:
    with pytest.raises(BadKeyError, match=says):
        asyncio.run(house.ring.create("laptop", INFERENCE, **wishes))
    assert house.ring.list() == ()


def test_a_key_without_scopes_is_refused(house) -> None:
    with pytest.raises(BadKeyError, match="opens nothing"):
        asyncio.run(house.ring.create("laptop", frozenset()))


def test_live_keys_have_a_cap_and_dead_ones_do_not_count(house) -> None:
    shelf = MemoryKeyShelf()
    shelf._kept = tuple(KeyGrant(f"k{n:08}", "n", bytes(32), INFERENCE, float(n)) for n in range(MOST_KEYS))
    ring = KeyRing(shelf, house.clock, house.randomness)

    with pytest.raises(TooManyKeysError, match="1000 live keys"):
        asyncio.run(ring.create("one more", INFERENCE))
    asyncio.run(ring.revoke("k00000000"))
    asyncio.run(ring.create("one more", INFERENCE))
