"""Who may do what: every capability and every route, asked by everybody there is, judged by its declaration alone.

Each is asked in a wrong form. Who is let in is then told so (400), who is not has been refused before (401, 403); and
nothing is ever done.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

import pytest

from tests.e2e.attack_house import EVERY_SCOPE, House, Knock, house, nonsense
from tests.e2e.attack_stranger import SOMEBODY, stranger
from tests.e2e.attack_wire import JSON, Answer, Caller, Header, Place, bearer
from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import ANY_KEY, OPEN, NounRoute, RawRoute, Route
from thorp.wire.capabilities import every_capability
from thorp.wire.capability import Capability

EVERYTHING = frozenset(Scope)
ASK = Callable[[Knock], Answer]


@dataclass(frozen=True)
class Who:
    """Somebody who asks, and what they are known to be."""

    name: str
    place: str = "local"
    headers: tuple[Header, ...] = ()
    scopes: frozenset[Scope] = frozenset()
    known: bool = False  # shows something that holds
    is_owner: bool = False
    wrong: int = 0  # shows something that does not count here: this answer to everything
    another_user: bool = False


def key_holders(home: House, place: str) -> Iterable[Who]:
    for scope in EVERY_SCOPE:
        yield Who(f"key {scope}", place, (bearer(home.key(scope)),), frozenset({Scope(scope)}), known=True)
    yield Who("key with all", place, (bearer(home.key(*EVERY_SCOPE)),), EVERYTHING, known=True)


def everybody(home: House) -> list[Who]:
    token, session = bearer(home.owner_token), bearer(home.session())
    revoked = home.node.key("node:read")
    home.owner("DELETE", f"/api/v1/keys/{revoked['id']}")
    return [
        Who("owner by socket", "socket", known=True, is_owner=True),
        Who("owner by token", "local", (token,), known=True, is_owner=True),
        Who("session", "local", (session,), known=True, is_owner=True),
        Who("session on the socket", "socket", (session,), known=True, is_owner=True),
        Who("session from another device", "exposed", (session,), known=True, is_owner=True),
        Who("owner's token from another device", "exposed", (token,), wrong=401),
        Who("revoked key", "socket", (bearer(revoked["key"]),), wrong=401),
        *key_holders(home, "local"),
        *key_holders(home, "exposed"),
        Who("key on the socket", "socket", (bearer(home.key("inference")),), frozenset({Scope.INFERENCE}), known=True),
        Who("owner's own program", "local", scopes=frozenset({Scope.INFERENCE})),
        Who("owner's own program behind a proxy", "local", (("Via", "1.1 proxy"),)),
        Who("owner's socket behind a proxy", "socket", (("X-Forwarded-For", "192.0.2.7"),)),
        Who("another device", "exposed"),
        Who("another user", "local", another_user=True),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("matrix")) as opened:
        opened.expose()
        yield opened


@pytest.fixture(scope="module")
def people(home: House) -> list[Who]:
    return everybody(home)


@pytest.fixture
def unmoved(home: House, people: list[Who]) -> Generator[House]:
    assert people  # their keys are no part of what follows
    before = home.state()
    yield home
    assert home.state() == before


def answers_to(home: House, who: Who, asks: list[Knock]) -> list[Answer]:
    place = home.places[who.place]
    if who.another_user:
        with stranger(SOMEBODY) as other:
            return other.ask(place, [(one.method, one.path, [*who.headers, *one.kind], one.body) for one in asks])
    return [as_often_as_needed(home, who, place, one) for one in asks]


def as_often_as_needed(home: House, who: Who, place: Place, one: Knock) -> Answer:
    headers = who.headers
    if "session" in who.name and one.path in {"/api/v1/session", "/plain/leave"}:
        headers = (bearer(home.session()),)  # one that may end
    with Caller(place) as caller:
        return one.at(caller, *headers)


def expected_of_capability(who: Who, capability: Capability) -> int:
    """From the declaration alone; 400 is "come in, but not like that"."""
    if who.wrong:
        return who.wrong
    if who.is_owner or capability.trust is Trust.UNKNOWN:
        return 400
    if capability.scope is not None and capability.scope in who.scopes:
        return 400
    return 403 if who.known else 401


def expected_of_floor(who: Who, route: RawRoute) -> tuple[int, ...]:
    """A route that is no capability answers to who is let in with whatever it has to say."""
    if who.wrong:
        return (who.wrong,)
    let_in = (200, 204, 303, 400, 401, 404) if route.floor == OPEN else (200, 204, 303, 400, 404)
    if route.floor == OPEN or who.is_owner or route.floor in who.scopes or (route.floor == ANY_KEY and who.known):
        return let_in
    return (403,) if who.known else (401,)


def test_every_capability_answers_everybody_as_it_declares(unmoved: House, people: list[Who]) -> None:
    capabilities = every_capability()
    asks = [Knock("POST", f"/api/v1/call/{one.id}", b'{"input":{"no such field":1}}', (JSON,)) for one in capabilities]
    for who in people:
        answers = [answer.status for answer in answers_to(unmoved, who, asks)]
        wanted = [expected_of_capability(who, one) for one in capabilities]
        assert dict(zip(asks, answers, strict=True)) == dict(zip(asks, wanted, strict=True)), who.name


def test_every_noun_route_answers_everybody_as_its_capability_declares(unmoved: House, people: list[Who]) -> None:
    routes = [route for route in EVERY_ROUTE if isinstance(route, NounRoute)]
    asks = [nonsense(route) for route in routes]
    for who in people:
        answers = [answer.status for answer in answers_to(unmoved, who, asks)]
        wanted = [expected_of_capability(who, route.capability) for route in routes]
        assert dict(zip(asks, answers, strict=True)) == dict(zip(asks, wanted, strict=True)), who.name


def test_every_other_route_answers_everybody_as_its_floor_says(unmoved: House, people: list[Who]) -> None:
    routes = [route for route in EVERY_ROUTE if isinstance(route, RawRoute) and route.path != "/api/v1/call/{name}"]
    asks = [nonsense(route) for route in routes]
    for who in people:
        for route, answer in zip(routes, answers_to(unmoved, who, asks), strict=True):
            assert answer.status in expected_of_floor(who, route), (who.name, route.path, answer)


def test_a_capability_without_a_floor_is_the_owners_alone(unmoved: House, people: list[Who]) -> None:
    """Said once more without the arithmetic above: nobody but the owner, whatever they hold."""
    bare = [one for one in every_capability() if one.scope is None and one.trust is Trust.OWNER]
    assert {one.name for one in bare} >= {"node.stop", "login.code", "exposure.open", "exposure.close"}
    asks = [Knock("POST", f"/api/v1/call/{one.name}", b'{"input":{"no such field":1}}', (JSON,)) for one in bare]
    for who in people:
        let_in = {answer.status == 400 for answer in answers_to(unmoved, who, asks)}
        assert let_in == {who.is_owner}, who.name


def test_a_stranger_cannot_tell_what_is_closed_from_what_is_not_there(home: House) -> None:
    there, not_there = (
        Knock("POST", f"/api/v1/call/{name}", b"{}", (JSON,)).alone(home.places["exposed"])
        for name in ("node.stop", "node.step")
    )
    assert there.status == not_there.status == 401
    assert there.text.replace("node.stop", "node.step") == not_there.text


def test_the_list_of_open_routes_is_short_and_known() -> None:
    """A new open route is a decision, not an accident."""
    opened: list[Route] = [route for route in EVERY_ROUTE if isinstance(route, RawRoute) and route.floor == OPEN]

    assert sorted(f"{route.method} {route.path}" for route in opened) == [
        "GET /",
        "GET /api/v1/claim",
        "GET /api/v1/health",
        "GET /assets/{name}",
        "GET /favicon.svg",
        "GET /healthz",
        "GET /plain/claim",
        "GET /plain/look.css",
        "GET /readyz",
        "POST /api/v1/call/{name}",
        "POST /api/v1/claim",
        "POST /api/v1/login",
        "POST /plain/claim",
    ]
