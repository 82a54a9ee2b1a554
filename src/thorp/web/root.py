"""The web face as one ASGI application: every line of the table, and an honest answer to everything else."""

from collections.abc import Sequence

from starlette.routing import Match
from starlette.routing import Route as Mounted
from starlette.types import ASGIApp, Receive, Scope, Send

from thorp.base.errors import NotFoundError, UsageError
from thorp.base.nearest import did_you_mean
from thorp.identity.principals import NOBODY
from thorp.web.answers import error_answer
from thorp.web.doors import Doors
from thorp.web.endpoint import Endpoint
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import Route


class NoSuchRouteError(NotFoundError):
    """An address that Thorp does not have."""

    code = "web.no_such_route"


class WrongMethodError(UsageError):
    """An address that is asked in a way it does not answer to."""

    code = "web.wrong_method"
    status = 405


class Addresses:
    """All routes, the first that fits wins; who asks in a wrong way learns every right one."""

    def __init__(self, routes: Sequence[Mounted]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed: set[str] = set()
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await route.app(scope, receive, send)
                return
            if match is Match.PARTIAL:
                allowed |= (route.methods or set()) - {"HEAD"}
        if not allowed:
            await nothing_here(scope, receive, send)
            return
        named = ", ".join(sorted(allowed))
        answer = error_answer(WrongMethodError(f"{scope['path']} answers to {named}, not to {scope['method']}."))
        answer.headers["Allow"] = named
        await answer(scope, receive, send)


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Only who is known is helped along: looking for the nearest address costs more than to ask for it."""
    nobody = scope["state"].get("thorp.principal", NOBODY) == NOBODY
    hint = "" if nobody else did_you_mean(scope["path"], {route.path.replace(":path}", "}") for route in EVERY_ROUTE})
    await error_answer(NoSuchRouteError(f"There is nothing at this address.{hint}"))(scope, receive, send)


def web_app(doors: Doors, routes: Sequence[Route] = EVERY_ROUTE) -> ASGIApp:
    return Addresses([Mounted(one.path, Endpoint(one, doors), methods=[one.method]) for one in routes])
