"""What a route is: one line of a table. OpenAPI, the reference, the floors and the tests are read from these lines."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request

from thorp.base.errors import NotAllowedError, UnauthenticatedError
from thorp.identity.principals import Principal, PrincipalKind
from thorp.identity.scopes import Scope
from thorp.web.answers import Answer
from thorp.web.doors import Doors
from thorp.wire.capability import Capability
from thorp.wire.model import Message

Floor: TypeAlias = str | Scope
OPEN: Final = "open"  # anybody who reaches the listener
ANY_KEY: Final = "any key"  # whoever shows a valid credential
OWNER: Final = "owner"  # the owner alone
SMALL: Final = 1024  # bytes of a body where nothing large is ever said


class NoCredentialError(UnauthenticatedError):
    """A route above the reach of somebody without a credential."""

    code = "web.unauthenticated"


class BelowFloorError(NotAllowedError):
    """A key without the scope this route asks for."""

    code = "web.not_allowed"


@dataclass(frozen=True, slots=True)
class NounRoute:
    """A REST spelling of a capability. Fields of the request come from the path, the query and the JSON body."""

    method: str
    path: str
    capability: Capability
    status: int = 200

    def calls(self, _request: Request) -> str:
        return self.capability.id

    @property
    def floor(self) -> Floor:
        return self.capability.scope or OWNER

    @property
    def summary(self) -> str:
        return self.capability.summary


def calls_nothing(_request: Request) -> None:
    """Of a route that is no way to a capability."""


@dataclass(frozen=True, slots=True)
class RawRoute:
    """A route that is no capability: pages, health, sessions, streams."""

    method: str
    path: str
    floor: Floor
    summary: str
    handler: Callable[[Doors, Request], Awaitable[Answer]]
    html: bool = False  # errors are told as a page
    request: type[Message] | None = None  # what its handler reads out of the body
    calls: Callable[[Request], str | None] = calls_nothing  # whose floor and size of body count instead of its own


Route: TypeAlias = NounRoute | RawRoute


def check_floor(principal: Principal, floor: Floor, path: str) -> None:
    """Return only when `principal` may use a route with this floor. Capabilities check their own on the bus."""
    if floor == OPEN or principal.is_owner:
        return
    if principal.kind is PrincipalKind.NOBODY and floor not in principal.scopes:
        raise NoCredentialError(
            f"{path} needs a key. Send `Authorization: Bearer <key>`; `thorp keys create` makes one.", path=path
        )
    if floor == ANY_KEY or floor in principal.scopes:
        return
    needs = "the owner" if floor == OWNER else f"a key with the scope `{floor}`"
    raise BelowFloorError(f"{path} needs {needs}.", path=path, needs=str(floor))
