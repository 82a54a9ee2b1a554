from dataclasses import dataclass

import pytest

from thorp.access.credentials import Credential, CredentialKind, hash_of
from thorp.access.register import Register


@dataclass(frozen=True)
class Kept:
    id: str
    secret_hash: bytes


class Shelf:
    def __init__(self, *kept: Kept) -> None:
        self.kept = kept

    def snapshot(self) -> tuple[Kept, ...]:
        return self.kept


FIRST, SECOND = Kept("k1", hash_of("one")), Kept("k2", hash_of("two"))


def shown(key_id: str, secret: str) -> Credential:
    return Credential(CredentialKind.KEY, key_id, secret)


def test_a_grant_is_held_by_who_knows_its_secret() -> None:
    register = Register(Shelf(FIRST, SECOND).snapshot)

    assert register.holder(shown("k1", "one")) is FIRST
    assert register.holder(shown("k2", "two")) is SECOND


@pytest.mark.parametrize("credential", [shown("k1", "two"), shown("k3", "one"), shown("", ""), shown("k1", "")])
def test_nobody_else_holds_it(credential: Credential) -> None:
    assert Register(Shelf(FIRST, SECOND).snapshot).holder(credential) is None


def test_a_new_snapshot_is_seen_at_once() -> None:
    shelf = Shelf(FIRST)
    register = Register(shelf.snapshot)
    assert register.find("k2") is None

    shelf.kept = (SECOND,)

    assert register.find("k2") is SECOND
    assert register.find("k1") is None
