"""What a key may be allowed to do. A key reaches a capability only through one of these words."""

from enum import StrEnum
from typing import Final

from thorp.base.errors import UsageError
from thorp.base.nearest import did_you_mean


class Scope(StrEnum):
    INFERENCE = "inference"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    SLOTS_READ = "slots:read"
    SLOTS_WRITE = "slots:write"
    TRANSFERS_WRITE = "transfers:write"
    USAGE_READ = "usage:read"
    MESH_READ = "mesh:read"
    MESH_WRITE = "mesh:write"
    KEYS_WRITE = "keys:write"
    CONFIG_WRITE = "config:write"
    NODE_READ = "node:read"
    METRICS = "metrics"


EVERY_SCOPE: Final = frozenset(Scope)


class UnknownScopeError(UsageError):
    """A scope that Thorp does not know."""

    code = "access.unknown_scope"


def parse_scopes(words: tuple[str, ...]) -> frozenset[Scope]:
    """Scopes from the words a person typed."""
    known = {scope.value: scope for scope in Scope}
    for word in words:
        if word not in known:
            raise UnknownScopeError(
                f"There is no scope `{word}`.{did_you_mean(word, known)} Known: {', '.join(sorted(known))}.",
                scope=word,
            )
    return frozenset(known[word] for word in words)
