"""Who may call what. Pure: a principal, a declaration, and how the call came in."""

from thorp.base.errors import ThorpError
from thorp.bus.errors import NobodyCallsError, UnauthorizedError
from thorp.identity.principals import Principal, PrincipalKind
from thorp.identity.trust import Trust
from thorp.wire.capability import Capability


def refusal(principal: Principal, capability: Capability, *, over_mesh: bool = False) -> ThorpError | None:
    """The reason why this principal may not make this call, or None."""
    if over_mesh and not (capability.mesh and principal.kind is PrincipalKind.NODE):
        return UnauthorizedError(
            f"{capability.id} is not offered to other nodes.", capability=capability.id, reason="not_mesh"
        )
    if principal.is_owner:
        return None
    if principal.kind is PrincipalKind.NODE:
        return _node_refusal(principal, capability)
    if capability.scope is not None and capability.scope in principal.scopes:
        return None
    if capability.trust is Trust.UNKNOWN:
        return None
    return _scope_refusal(principal, capability)


def _node_refusal(principal: Principal, capability: Capability) -> ThorpError | None:
    if principal.trust >= capability.trust:
        return None
    return UnauthorizedError(
        f"{capability.id} needs the trust level {capability.trust.word}; this node has {principal.trust.word}.",
        capability=capability.id,
        needs=capability.trust.word,
    )


def _scope_refusal(principal: Principal, capability: Capability) -> ThorpError:
    scope = capability.scope.value if capability.scope else None
    if principal.kind is PrincipalKind.NOBODY:
        return unknown_to_nobody(capability.name)
    wanted = f"This key lacks the scope `{scope}`." if scope else "Only the owner may call it, never a key."
    return UnauthorizedError(f"{capability.id} is refused. {wanted}", capability=capability.id, needs=scope)


def unknown_to_nobody(name: str) -> NobodyCallsError:
    """The same words for what is closed and for what does not exist: names are nothing to learn without a key."""
    return NobodyCallsError(
        f"{name} is not open to callers without a key. "
        "Send `Authorization: Bearer <key>`; `thorp keys create` makes one.",
        capability=name,
    )
