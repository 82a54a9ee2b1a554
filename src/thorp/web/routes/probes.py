"""Health, version, metrics and the API's own description."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from thorp.base.lazy import LazyModule
from thorp.identity.scopes import Scope
from thorp.web.answers import JSON, json_answer
from thorp.web.doors import Doors
from thorp.web.table import ANY_KEY, OPEN, RawRoute, Route

FIGURES: Final = LazyModule("thorp.web.figures")
OPENAPI: Final = LazyModule("thorp.web.openapi")


async def healthz(_doors: Doors, _request: Request) -> Response:
    return json_answer({"ok": True})


async def readyz(doors: Doors, _request: Request) -> Response:
    ready = doors.is_ready()
    return json_answer({"ready": ready}, 200 if ready else 503, None if ready else {"Retry-After": "1"})


async def version(doors: Doors, _request: Request) -> Response:
    return json_answer({"name": "thorp", "version": doors.version})


async def metrics(doors: Doors, _request: Request) -> Response:
    figures = FIGURES.load()
    return Response(figures.exposition(doors), media_type=figures.CONTENT_TYPE)


async def openapi(_doors: Doors, _request: Request) -> Response:
    return Response(OPENAPI.load().written(), media_type=JSON)


ROUTES: tuple[Route, ...] = (
    RawRoute("GET", "/healthz", OPEN, "Whether the process answers.", healthz),
    RawRoute("GET", "/readyz", OPEN, "Whether every service is up.", readyz),
    RawRoute("GET", "/version", ANY_KEY, "Name and version.", version),
    RawRoute("GET", "/metrics", Scope.METRICS, "Figures in the Prometheus text format.", metrics),
    RawRoute("GET", "/api/v1/openapi.json", ANY_KEY, "This API, described.", openapi),
)
