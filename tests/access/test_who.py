import asyncio
from dataclasses import replace
from itertools import permutations, product

import pytest

from thorp.access.credentials import CredentialKind, parse, read_credentials
from thorp.access.keys import ExpiredKeyError, RevokedKeyError, UnknownKeyError
from thorp.access.sessions import SESSION_SECONDS, SessionOverError
from thorp.access.who import NotHereError, RequestFacts, WrongOwnerTokenError, identify, is_at_home
from thorp.base.errors import UnauthenticatedError
from thorp.identity.principals import NOBODY, keyed, local_process, owner
from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust

LISTENERS = [("local", False), ("socket", False), ("exposed", True), ("exposed", False)]
PEERS = [(True, True), (False, False), (None, False), (None, True)]
EVERY_PLACE = [
    RequestFacts(listener, tls, same_user, at_home, forwarded, None)
    for (listener, tls), (same_user, at_home), forwarded in product(LISTENERS, PEERS, (True, False))
]
WRONG = "A" * 43


def at(place: RequestFacts, text: str | None, *, ambient: bool = False) -> RequestFacts:
    credential = parse(text, ambient=ambient) if text else None
    return replace(place, credential=credential)


def says(house, facts: RequestFacts):
    """The principal, or the class of the refusal."""
    try:
        return identify(facts, house.known)
    except UnauthenticatedError as error:
        return type(error)


@pytest.mark.parametrize("kind", ["mesh", "tracker"])
@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_the_listeners_for_other_nodes_give_nobody_anything(house, kind: str, place: RequestFacts) -> None:
    there = replace(place, listener=kind)
    texts = [house.owner_token, asyncio.run(house.key(Scope.MODELS_READ)), asyncio.run(house.login()), "thorp_broken"]

    assert says(house, there) == NOBODY
    assert not is_at_home(there)
    assert {says(house, at(there, text)) for text in texts} == {NotHereError}
    assert {says(house, replace(at(there, text, ambient=True), pages=True)) for text in texts} == {NOBODY}


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
@pytest.mark.parametrize("open_inference", [True, False])
def test_without_a_credential_the_place_grants_little(house, place: RequestFacts, open_inference: bool) -> None:
    house.open_inference = open_inference
    direct = place.same_user is True and not place.forwarded
    expected = NOBODY
    if direct and place.listener == "socket":
        expected = owner()
    if direct and place.listener == "local" and open_inference:
        expected = local_process()

    assert says(house, place) == expected


def test_at_home_is_our_own_user_directly_on_the_listeners_of_this_machine() -> None:
    homes = {(one.listener, one.at_home, one.forwarded) for one in EVERY_PLACE if is_at_home(one)}

    assert homes == {(place, True, False) for place in ("local", "socket")}


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_a_key_is_itself_everywhere(house, place: RequestFacts) -> None:
    text = asyncio.run(house.key(Scope.MODELS_READ, models=("a",)))

    expected = keyed(parse(text).id, frozenset({Scope.MODELS_READ}), ("a",))

    assert says(house, at(place, text)) == says(house, at(place, text, ambient=True)) == expected


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_the_owner_token_is_for_this_machine_only(house, place: RequestFacts) -> None:
    expected = NotHereError if place.listener == "exposed" else owner("o")

    assert says(house, at(place, house.owner_token)) == expected


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_a_login_is_the_owner_but_never_in_the_clear(house, place: RequestFacts) -> None:
    token = asyncio.run(house.login())
    in_the_clear = place.listener == "exposed" and not place.tls

    assert says(house, at(place, token)) == (NotHereError if in_the_clear else owner(parse(token).id))


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_a_login_of_the_plain_pages_is_a_cookie_there_and_nothing_anywhere_else(house, place: RequestFacts) -> None:
    """Every web server of this machine that the owner visits is sent that cookie."""
    code = asyncio.run(house.login()) and house.desk.mint_login_code().text
    session, token = asyncio.run(house.desk.login(code, CredentialKind.PAGES, at_home=True))
    in_the_clear = place.listener == "exposed" and not place.tls

    there = replace(at(place, token, ambient=True), pages=True)
    assert says(house, there) == (NOBODY if in_the_clear else owner(session.id))
    assert says(house, at(place, token, ambient=True)) == NOBODY
    assert says(house, at(place, token)) is says(house, replace(at(place, token), pages=True)) is NotHereError


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_a_credential_that_does_not_hold_is_refused_everywhere(house, place: RequestFacts) -> None:
    key, session = asyncio.run(house.key()), asyncio.run(house.login())
    away = place.listener == "exposed"

    assert says(house, at(place, "thorp_broken")) is UnknownKeyError
    assert says(house, at(place, f"thorp_k00000000_{WRONG}")) is UnknownKeyError
    assert says(house, at(place, f"thorp_{parse(key).id}_{WRONG}")) is UnknownKeyError
    assert says(house, at(place, f"thorp_o_{WRONG}")) is (NotHereError if away else WrongOwnerTokenError)
    expected = NotHereError if away and not place.tls else SessionOverError
    assert says(house, at(place, f"thorp_{parse(session).id}_{WRONG}")) is expected


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
@pytest.mark.parametrize("text", ["thorp_broken", f"thorp_k00000000_{WRONG}", f"thorp_s00000000_{WRONG}"])
def test_an_old_cookie_earns_nothing_and_shuts_nothing(house, place: RequestFacts, text: str) -> None:
    assert says(house, at(place, text, ambient=True)) == NOBODY


@pytest.mark.parametrize("place", EVERY_PLACE, ids=str)
def test_A20_a_dead_credential_is_dead_everywhere(house, place: RequestFacts) -> None:
    revoked, session = asyncio.run(house.key()), asyncio.run(house.login())
    expiring = asyncio.run(house.key(expires=house.clock.wall() + 60))
    asyncio.run(house.ring.revoke(parse(revoked).id))
    house.clock.advance(SESSION_SECONDS)

    assert says(house, at(place, revoked)) is RevokedKeyError
    assert says(house, at(place, expiring)) is ExpiredKeyError
    assert says(house, at(place, session)) in {SessionOverError, NotHereError}


def test_a_secret_of_one_kind_opens_no_other(house) -> None:
    """Ids are no rights: the secret of a key under the id of a session or of the owner is worth nothing."""
    texts = [asyncio.run(house.key()), asyncio.run(house.login()), house.owner_token]

    for shown, claimed in permutations(texts, 2):
        mixed = f"thorp_{parse(claimed).id}_{parse(shown).secret}"
        with pytest.raises(UnauthenticatedError):
            identify(at(EVERY_PLACE[0], mixed), house.known)


def test_A9_every_header_form_of_a_key_gives_the_same_principal(house) -> None:
    text = asyncio.run(house.key(Scope.INFERENCE, Scope.NODE_READ)).encode()
    forms = [(b"authorization", b"Bearer " + text), (b"x-api-key", text), (b"cookie", b"thorp_session=" + text)]

    for place in EVERY_PLACE:
        seen = {
            identify(
                replace(place, credential=read_credentials([form])),
                house.known,
            )
            for form in forms
        }
        assert len(seen) == 1


def test_only_the_owner_has_the_owners_trust(house) -> None:
    key = asyncio.run(house.key(*Scope))

    for place in EVERY_PLACE:
        assert identify(at(place, key), house.known).trust is Trust.UNKNOWN
