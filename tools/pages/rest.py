"""The page of routes."""

from collections.abc import Iterator

from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import NounRoute, Route
from tools.pages.page import Named, Page, code, document, table

INTRODUCTION = """Every route of the local listener and of the Unix socket. *Who* is the least that the caller needs:
`open` needs nothing, a scope means a key that has it, `owner` the owner alone. Fields are described in
[capabilities.md](capabilities.md); the whole as OpenAPI stands in [openapi.json](openapi.json)."""


def text() -> str:
    rows = [
        (code(route.method), code(route.path), code(route.floor), route.summary, capability(route))
        for route in sorted(EVERY_ROUTE, key=lambda one: (one.path, one.method))
    ]
    return document("REST", INTRODUCTION, table(("method", "path", "who", "what it does", "capability"), rows))


def names() -> Iterator[Named]:
    return (Named(route.path) for route in EVERY_ROUTE)


def capability(route: Route) -> str:
    return code(route.capability.id) if isinstance(route, NounRoute) else ""


PAGE = Page("rest.md", text, names)
