"""Who is calling. Every call has exactly one principal, decided in one place and never ambient."""

from dataclasses import dataclass, field
from enum import StrEnum

from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.identity.trust import Trust


class PrincipalKind(StrEnum):
    OWNER = "owner"
    KEY = "key"
    TOKEN = "token"  # noqa: S105  (a kind of principal, not a secret)
    NODE = "node"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Principal:
    kind: PrincipalKind
    label: str  # who to write into usage: `owner`, `local`, a key's id, a node id
    trust: Trust = Trust.UNKNOWN
    scopes: frozenset[Scope] = frozenset()
    models: tuple[str, ...] = field(default=())  # empty: every model
    credential: str = ""  # the id of the key or session used; what a revocation names

    @property
    def is_owner(self) -> bool:
        return self.kind is PrincipalKind.OWNER


def owner(credential: str = "") -> Principal:
    return Principal(PrincipalKind.OWNER, "owner", Trust.OWNER, EVERY_SCOPE, credential=credential)


def keyed(key_id: str, scopes: frozenset[Scope], models: tuple[str, ...] = ()) -> Principal:
    return Principal(PrincipalKind.KEY, key_id, Trust.UNKNOWN, scopes, models, credential=key_id)


def member_node(node_id: str, trust: Trust) -> Principal:
    """A node that proved its key. It can never be the owner."""
    return Principal(PrincipalKind.NODE, node_id, min(trust, Trust.ANCHOR))


def local_process() -> Principal:
    """A keyless process of the owner's own user on loopback: inference and nothing else."""
    return Principal(PrincipalKind.NOBODY, "local", Trust.UNKNOWN, frozenset({Scope.INFERENCE}))


NOBODY = Principal(PrincipalKind.NOBODY, "nobody")
