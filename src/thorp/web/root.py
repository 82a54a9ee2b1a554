"""The web face as one ASGI application: every line of the table, and an honest answer to everything else."""

from collections import defaultdict
from collections.abc import Sequence

from starlette.routing import Route as Mounted
from starlette.routing import Router
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


class ByMethod:
    """All routes of one address."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        endpoint = self._endpoints.get("GET" if method == "HEAD" else method)
        if endpoint is not None:
            await endpoint(scope, receive, send)
            return
        allowed = ", ".join(sorted(self._endpoints))
        answer = error_answer(WrongMethodError(f"{scope['path']} answers to {allowed}, not to {method}."))
        answer.headers["Allow"] = allowed
        await answer(scope, receive, send)


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Only who is known is helped along: looking for the nearest address costs more than to ask for it."""
    nobody = scope["state"].get("thorp.principal", NOBODY) == NOBODY
    hint = "" if nobody else did_you_mean(scope["path"], {route.path for route in EVERY_ROUTE})
    await error_answer(NoSuchRouteError(f"There is nothing at this address.{hint}"))(scope, receive, send)


def web_app(doors: Doors, routes: Sequence[Route] = EVERY_ROUTE) -> ASGIApp:
    at: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for route in routes:
        at[route.path][route.method] = Endpoint(route, doors)
    mounted = [Mounted(path, ByMethod(endpoints)) for path, endpoints in at.items()]
    return Router(mounted, redirect_slashes=False, default=nothing_here)
