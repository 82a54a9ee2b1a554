"""Models and transfers over REST. Refs hold slashes, so they take the rest of the path; fixed words come first."""

from starlette.requests import Request

from thorp.bus.dispatch import Order
from thorp.identity.scopes import Scope
from thorp.web.answers import EventStream
from thorp.web.callers import principal_of
from thorp.web.doors import Doors
from thorp.web.table import NounRoute, RawRoute, Route
from thorp.web.watching import Watcher, last_seen, watch
from thorp.wire.capabilities.hub import HUB_SEARCH
from thorp.wire.capabilities.models import (
    LIBRARY_ALIAS,
    LIBRARY_IMPORT,
    LIBRARY_LIST,
    LIBRARY_PRUNE,
    LIBRARY_REMOVE,
    LIBRARY_REPAIR,
    LIBRARY_RESCAN,
    LIBRARY_SHOW,
    LIBRARY_UNALIAS,
    LIBRARY_VERIFY,
    MODEL_PULL,
    MODEL_RESOLVE,
)
from thorp.wire.capabilities.transfers import (
    TRANSFER_CANCEL,
    TRANSFER_LIMIT,
    TRANSFER_LIMIT_ALL,
    TRANSFER_LIST,
    TRANSFER_PAUSE,
    TRANSFER_RESUME,
    TRANSFER_SHOW,
)
from thorp.wire.changes import TransferChanged
from thorp.wire.model import Message


async def stream(doors: Doors, request: Request) -> EventStream:
    principal = principal_of(request)

    async def snapshot() -> Message:
        return await doors.bus.call(Order(TRANSFER_LIST.id, principal))

    watcher = Watcher(principal, TransferChanged)
    return EventStream(watch(doors, last_seen(request, doors.boot), snapshot, watcher))


ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/hub/search", HUB_SEARCH),
    NounRoute("GET", "/api/v1/models", LIBRARY_LIST),
    NounRoute("POST", "/api/v1/models/resolve", MODEL_RESOLVE),
    NounRoute("POST", "/api/v1/models/download", MODEL_PULL, status=202),
    NounRoute("POST", "/api/v1/models/verify", LIBRARY_VERIFY),
    NounRoute("POST", "/api/v1/models/prune", LIBRARY_PRUNE),
    NounRoute("POST", "/api/v1/models/import", LIBRARY_IMPORT),
    NounRoute("POST", "/api/v1/models/rescan", LIBRARY_RESCAN),
    NounRoute("PUT", "/api/v1/models/aliases/{name}", LIBRARY_ALIAS),
    NounRoute("DELETE", "/api/v1/models/aliases/{name}", LIBRARY_UNALIAS),
    NounRoute("POST", "/api/v1/models/{ref:path}/verify", LIBRARY_VERIFY),
    NounRoute("POST", "/api/v1/models/{ref:path}/repair", LIBRARY_REPAIR),
    NounRoute("GET", "/api/v1/models/{ref:path}", LIBRARY_SHOW),
    NounRoute("DELETE", "/api/v1/models/{ref:path}", LIBRARY_REMOVE),
    NounRoute("GET", "/api/v1/transfers", TRANSFER_LIST),
    RawRoute(
        "GET",
        "/api/v1/transfers/stream",
        Scope.MODELS_READ,
        "A snapshot of all transfers, then every change of one (SSE).",
        stream,
    ),
    NounRoute("PUT", "/api/v1/transfers/limit", TRANSFER_LIMIT_ALL),
    NounRoute("GET", "/api/v1/transfers/{id}", TRANSFER_SHOW),
    NounRoute("DELETE", "/api/v1/transfers/{id}", TRANSFER_CANCEL),
    NounRoute("PUT", "/api/v1/transfers/{id}/pause", TRANSFER_PAUSE),
    NounRoute("PUT", "/api/v1/transfers/{id}/resume", TRANSFER_RESUME),
    NounRoute("PUT", "/api/v1/transfers/{id}/limit", TRANSFER_LIMIT),
)
