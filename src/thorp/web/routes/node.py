"""The node feature over REST, and the stream of its changes."""

from starlette.requests import Request

from thorp.identity.scopes import Scope
from thorp.web.answers import EventStream
from thorp.web.callers import principal_of
from thorp.web.doors import Doors
from thorp.web.table import NounRoute, RawRoute, Route
from thorp.web.watching import Watcher, last_seen, watch
from thorp.wire.capabilities.node import NODE_CAPABILITIES, NODE_INFO, NODE_STATUS, NODE_STOP
from thorp.wire.model import Message


async def stream(doors: Doors, request: Request) -> EventStream:
    async def snapshot() -> Message:
        return doors.report()

    watcher = Watcher(principal_of(request))
    return EventStream(watch(doors, last_seen(request, doors.boot), snapshot, watcher))


ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/node", NODE_INFO),
    NounRoute("GET", "/api/v1/status", NODE_STATUS),
    NounRoute("GET", "/api/v1/capabilities", NODE_CAPABILITIES),
    NounRoute("POST", "/api/v1/admin/shutdown", NODE_STOP),
    RawRoute("GET", "/api/v1/stream", Scope.NODE_READ, "A snapshot of the status, then every change (SSE).", stream),
)
