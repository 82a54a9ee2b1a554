import pytest

from thorp.identity.principals import NOBODY, PrincipalKind, keyed, local_process, member_node, owner
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.identity.trust import Trust


def test_the_owner_may_everything() -> None:
    assert owner().is_owner
    assert (owner().trust, owner().scopes, owner().label) == (Trust.OWNER, EVERY_SCOPE, "owner")
    assert owner("s1").credential == "s1"


def test_a_key_has_its_scopes_and_no_trust() -> None:
    principal = keyed("k1", frozenset({Scope.METRICS}), ("a",))

    assert (principal.kind, principal.label, principal.credential) == (PrincipalKind.KEY, "k1", "k1")
    assert (principal.trust, principal.scopes, principal.models) == (Trust.UNKNOWN, {Scope.METRICS}, ("a",))
    assert not keyed("k1", EVERY_SCOPE).is_owner


@pytest.mark.parametrize("trust", list(Trust))
def test_a_node_is_never_the_owner(trust: Trust) -> None:
    principal = member_node("ed25519:x", trust)

    assert principal.trust == min(trust, Trust.ANCHOR)
    assert not principal.is_owner
    assert principal.scopes == frozenset()
    assert principal.credential == ""


def test_a_local_process_may_infer_and_nothing_else() -> None:
    assert (local_process().scopes, local_process().trust) == ({Scope.INFERENCE}, Trust.UNKNOWN)
    assert (local_process().kind, local_process().label) == (PrincipalKind.NOBODY, "local")


def test_nobody_may_nothing() -> None:
    assert (NOBODY.scopes, NOBODY.trust, NOBODY.is_owner) == (frozenset(), Trust.UNKNOWN, False)
