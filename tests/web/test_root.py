"""Every line of the table answers, and so does everything else."""

import asyncio
from typing import Any

import pytest

from thorp.identity.principals import NOBODY, Principal, keyed, owner
from thorp.identity.scopes import EVERY_SCOPE
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import ANY_KEY, OPEN, NounRoute, Route

# The floors of the house, as its contract has them. A new route has to be added here by hand, on purpose.
FLOORS = {
    "GET /": OPEN,
    "GET /favicon.svg": OPEN,
    "GET /assets/{name}": OPEN,
    "GET /plain/look.css": OPEN,
    "GET /plain/claim": OPEN,
    "POST /plain/claim": OPEN,
    "GET /plain/status": "node:read",
    "POST /plain/leave": "owner",
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /version": ANY_KEY,
    "GET /metrics": "metrics",
    "GET /api/v1/openapi.json": ANY_KEY,
    "GET /api/v1/claim": OPEN,
    "POST /api/v1/claim": OPEN,
    "POST /api/v1/login": OPEN,
    "POST /api/v1/login/codes": "owner",
    "DELETE /api/v1/session": "owner",
    "GET /api/v1/sessions": "owner",
    "DELETE /api/v1/sessions/{id}": "owner",
    "POST /api/v1/sessions/end": "owner",
    "GET /api/v1/node": "node:read",
    "GET /api/v1/status": "node:read",
    "GET /api/v1/stream": "node:read",
    "GET /api/v1/capabilities": "node:read",
    "POST /api/v1/admin/shutdown": "owner",
    "POST /api/v1/call/{name}": OPEN,  # the capability's own floor decides
    "GET /api/v1/keys": "keys:write",
    "POST /api/v1/keys": "keys:write",
    "DELETE /api/v1/keys/{id}": "keys:write",
    "GET /api/v1/config": "config:write",
    "GET /api/v1/config/{key}": "config:write",
    "PUT /api/v1/config/{key}": "config:write",
    "DELETE /api/v1/config/{key}": "config:write",
    "POST /api/v1/config/reload": "config:write",
    "POST /api/v1/exposure": "owner",
    "DELETE /api/v1/exposure": "owner",
    "GET /api/v1/hub/search": "models:read",
    "GET /api/v1/models": "models:read",
    "POST /api/v1/models/resolve": "models:read",
    "POST /api/v1/models/download": "models:write",
    "POST /api/v1/models/verify": "models:write",
    "POST /api/v1/models/prune": "models:write",
    "POST /api/v1/models/import": "owner",
    "POST /api/v1/models/rescan": "models:write",
    "PUT /api/v1/models/aliases/{name}": "models:write",
    "DELETE /api/v1/models/aliases/{name}": "models:write",
    "POST /api/v1/models/{ref:path}/verify": "models:write",
    "POST /api/v1/models/{ref:path}/repair": "models:write",
    "GET /api/v1/models/{ref:path}": "models:read",
    "DELETE /api/v1/models/{ref:path}": "models:write",
    "GET /api/v1/transfers": "models:read",
    "GET /api/v1/transfers/stream": "models:read",
    "PUT /api/v1/transfers/limit": "transfers:write",
    "GET /api/v1/transfers/{id}": "models:read",
    "DELETE /api/v1/transfers/{id}": "transfers:write",
    "PUT /api/v1/transfers/{id}/pause": "transfers:write",
    "PUT /api/v1/transfers/{id}/resume": "transfers:write",
    "PUT /api/v1/transfers/{id}/limit": "transfers:write",
    "GET /api/v1/health": "open",
    "GET /api/v1/lan": "mesh:read",
    "GET /api/v1/lan/peers": "mesh:read",
    "POST /api/v1/lan/invites": "owner",
    "POST /api/v1/lan/join": "owner",
    "DELETE /api/v1/lan/members/{node}": "owner",
    "POST /api/v1/models/share": "models:write",
    "DELETE /api/v1/models/{ref:path}/share": "models:write",
}


def told(story: Any) -> Any:
    return asyncio.run(story)


def spelled(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_floors_are_exactly_the_declared_ones() -> None:
    assert {spelled(route): str(route.floor) for route in EVERY_ROUTE} == FLOORS


def test_no_two_lines_share_a_place() -> None:
    assert len({spelled(route) for route in EVERY_ROUTE}) == len(EVERY_ROUTE)


CLOSED = [route for route in EVERY_ROUTE if route.floor != OPEN]


@pytest.mark.parametrize("route", CLOSED, ids=spelled)
def test_nobody_passes_no_floor(route: Route) -> None:
    async def story() -> Heard:
        world = await WebWorld().opened()
        path = route.path.replace("{id}", "k1").replace("{key}", "local.port")
        return await world.ask(route.method, path, b"", NOBODY)

    assert told(story()).status == 401


@pytest.mark.parametrize("route", [one for one in CLOSED if str(one.floor) != ANY_KEY], ids=spelled)
def test_a_key_with_every_other_scope_passes_no_floor_that_asks_for_another(route: Route) -> None:
    async def story() -> Heard:
        world = await WebWorld().opened()
        key = keyed("k1", frozenset(scope for scope in EVERY_SCOPE if scope.value != str(route.floor)))
        path = route.path.replace("{id}", "k1").replace("{key}", "local.port")
        return await world.ask(route.method, path, b"", key)

    heard = told(story())
    offered = not isinstance(route, NounRoute) or route.capability.name.startswith("node.")
    assert heard.status == (403 if offered else 404)


@pytest.mark.parametrize(("who", "helped"), [(owner(), True), (NOBODY, False)])
def test_an_unknown_address_names_the_nearest_one_to_who_is_known(who: Principal, helped: bool) -> None:
    heard = told(WebWorld().ask("GET", "/api/v1/statsu", b"", who))
    assert heard.status == 404
    assert heard.json["error"]["code"] == "web.no_such_route"
    assert ("`/api/v1/status`" in heard.json["error"]["message"]) is helped


def test_a_wrong_method_says_which_ones_there_are() -> None:
    heard = told(WebWorld().ask("PATCH", "/api/v1/keys"))
    assert (heard.status, heard.headers["allow"]) == (405, "GET, POST")


def test_addresses_that_overlap_name_all_their_methods() -> None:
    heard = told(WebWorld().ask("PATCH", "/api/v1/models/org/verify"))
    assert (heard.status, heard.headers["allow"]) == (405, "DELETE, GET, POST")


def test_who_may_not_use_an_address_is_refused_before_another_one_is_looked_for() -> None:
    assert told(WebWorld().ask("GET", "/api/v1/transfers/stream")).status == 401


def test_the_nearest_address_is_named_as_it_is_described() -> None:
    heard = told(WebWorld().ask("GET", "/api/v1/model/ref", b"", owner()))
    assert ":path" not in heard.json["error"]["message"]


def test_a_path_is_never_quietly_another_one() -> None:
    assert told(WebWorld().ask("GET", "/healthz/")).status == 404


def test_a_broken_route_says_nothing_of_its_insides() -> None:
    async def story() -> Heard:
        world = await WebWorld().opened()
        world.around.name = lambda: 1 / 0  # pyright: ignore[reportAttributeAccessIssue]
        return await world.ask("GET", "/plain/status", b"", owner())

    heard = told(story())
    assert heard.status == 500
    assert b"Zero" not in heard.body
