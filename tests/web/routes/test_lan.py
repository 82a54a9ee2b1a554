"""The household over REST: every address leads to its capability, and who may."""

import asyncio
from typing import Any

import pytest

from thorp.identity.principals import NOBODY, Principal, keyed, owner
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.wire.capabilities.lan import LAN_INVITE, LAN_JOIN, LAN_PEERS, LAN_REMOVE, LAN_STATUS
from thorp.wire.capability import Call, Offer
from thorp.wire.model import Message

NODE = "ed25519:AAAA_bbb-C"
ROUTES: list[tuple[str, str, object, str, dict[str, Any], int]] = [
    ("GET", "lan", b"", "lan.status", {}, 200),
    ("GET", "lan/peers", b"", "lan.peers", {}, 200),
    ("POST", "lan/invites", {"hours": 3}, "lan.invite", {"hours": 3}, 201),
    (
        "POST",
        "lan/join",
        {"link": "thorp:join/1/x", "yes": True},
        "lan.join",
        {"link": "thorp:join/1/x", "yes": True},
        200,
    ),
    ("DELETE", f"lan/members/{NODE}", b"", "lan.remove", {"node": NODE}, 200),
]
READ = keyed("k", frozenset({Scope.MESH_READ}))
ALL = keyed("k", frozenset(EVERY_SCOPE))
REST = keyed("k", frozenset(EVERY_SCOPE) - {Scope.MESH_READ})


def asked(
    method: str, path: str, body: object, who: Principal | None = None
) -> tuple[Heard, list[tuple[str, dict[str, Any]]]]:
    came: list[tuple[str, dict[str, Any]]] = []

    def remembering(capability: Any) -> Offer:
        async def unary(call: Call[Any]) -> Message:
            came.append((capability.name, call.input.model_dump(exclude_unset=True)))
            return capability.answer.model_construct()

        return Offer(capability, unary=unary)

    async def story() -> Heard:
        world = WebWorld()
        for one in (LAN_STATUS, LAN_PEERS, LAN_INVITE, LAN_JOIN, LAN_REMOVE):
            await world.bus.register(remembering(one))
        return await world.ask(method, f"/api/v1/{path}", body, who or owner())

    return asyncio.run(story()), came


@pytest.mark.parametrize(("method", "path", "body", "name", "given", "status"), ROUTES, ids=lambda one: str(one)[:16])
def test_every_address_leads_to_its_capability(  # noqa: PLR0917  (one row)
    method: str, path: str, body: object, name: str, given: dict[str, Any], status: int
) -> None:
    heard, came = asked(method, path, body)

    assert (heard.status, came) == (status, [(name, given)])


def test_a_member_is_named_by_a_name_with_signs_in_it_too() -> None:
    assert asked("DELETE", "lan/members/mia%27s%20n%C3%B6de", b"")[1] == [("lan.remove", {"node": "mia's nöde"})]


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row[3])
def test_keys_may_look_and_the_owner_alone_changes_who_belongs_to_the_household(row: tuple[Any, ...]) -> None:
    method, path, body, *_, status = row
    looks = method == "GET"
    for who, expected in (
        (READ, status if looks else 403),
        (ALL, status if looks else 403),
        (REST, 403),
        (NOBODY, 401),
    ):
        heard, came = asked(method, path, body, who)
        assert heard.status == expected
        assert len(came) == (expected == status)


@pytest.mark.parametrize("body", [{"hours": 0}, {"hours": 169}, {"hours": "x"}, {"days": 1}])
def test_an_invite_for_no_time_is_refused(body: object) -> None:
    heard, came = asked("POST", "lan/invites", body)

    assert (heard.status, came) == (422, []) or (heard.status, came) == (400, [])
