"""Exactly the declared answer for every kind of caller."""

from itertools import product

import pytest

from thorp.base.errors import ThorpError
from thorp.bus.errors import NobodyCallsError, UnauthorizedError
from thorp.bus.floors import refusal
from thorp.identity.principals import NOBODY, Principal, keyed, local_process, member_node, owner
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.identity.trust import Trust
from thorp.wire.capability import Capability, Nothing


def declared(**words: object) -> Capability:
    return Capability("test.thing", "1.0", "A thing.", Nothing, Nothing, **words)  # pyright: ignore[reportArgumentType]


WITHOUT_FLOOR = declared()
WITH_SCOPE = declared(scope=Scope.NODE_READ)
FOR_MEMBERS = declared(trust=Trust.MEMBER, scope=Scope.INFERENCE, mesh=True)
FOR_TRUSTED = declared(trust=Trust.TRUSTED, mesh=True)
FOR_ALL = declared(trust=Trust.UNKNOWN)

EVERY_KEY = keyed("kall", EVERY_SCOPE)
READER = keyed("kread", frozenset({Scope.NODE_READ}))
MEMBER = member_node("ed25519:m", Trust.MEMBER)
ANCHOR = member_node("ed25519:a", Trust.ANCHOR)
CLAIMS_OWNER = member_node("ed25519:o", Trust.OWNER)
UNKNOWN = member_node("ed25519:u", Trust.UNKNOWN)


@pytest.mark.parametrize(
    ("principal", "capability", "answer"),
    [
        (owner(), WITHOUT_FLOOR, None),
        (EVERY_KEY, WITHOUT_FLOOR, UnauthorizedError),
        (local_process(), WITHOUT_FLOOR, NobodyCallsError),
        (NOBODY, WITHOUT_FLOOR, NobodyCallsError),
        (ANCHOR, WITHOUT_FLOOR, UnauthorizedError),
        (CLAIMS_OWNER, WITHOUT_FLOOR, UnauthorizedError),
        (READER, WITH_SCOPE, None),
        (keyed("k", frozenset({Scope.METRICS})), WITH_SCOPE, UnauthorizedError),
        (keyed("k", frozenset()), WITH_SCOPE, UnauthorizedError),
        (ANCHOR, WITH_SCOPE, UnauthorizedError),
        (local_process(), FOR_MEMBERS, None),
        (READER, FOR_MEMBERS, UnauthorizedError),
        (NOBODY, FOR_MEMBERS, NobodyCallsError),
        (MEMBER, FOR_MEMBERS, None),
        (UNKNOWN, FOR_MEMBERS, UnauthorizedError),
        (MEMBER, FOR_TRUSTED, UnauthorizedError),
        (ANCHOR, FOR_TRUSTED, None),
        (NOBODY, FOR_ALL, None),
        (UNKNOWN, FOR_ALL, None),
    ],
)
def test_each_caller_gets_the_declared_answer(
    principal: Principal, capability: Capability, answer: type[ThorpError] | None
) -> None:
    refused = refusal(principal, capability)
    assert type(refused) is (answer or type(None))


@pytest.mark.parametrize(
    ("principal", "capability"),
    [*product((owner(), EVERY_KEY, NOBODY), (FOR_MEMBERS, FOR_ALL)), (ANCHOR, FOR_ALL), (ANCHOR, WITH_SCOPE)],
)
def test_over_the_mesh_only_nodes_reach_only_what_is_declared_for_it(
    principal: Principal, capability: Capability
) -> None:
    assert isinstance(refusal(principal, capability, over_mesh=True), UnauthorizedError)


def test_a_member_reaches_a_mesh_capability_over_the_mesh() -> None:
    assert refusal(MEMBER, FOR_MEMBERS, over_mesh=True) is None


def test_a_node_can_never_carry_the_owners_trust() -> None:
    assert CLAIMS_OWNER.trust is Trust.ANCHOR
    assert not CLAIMS_OWNER.is_owner
