"""Health and version say no more than they must."""

import asyncio
from typing import Any

from thorp.identity.principals import keyed
from thorp.testing.web import WebWorld


def told(story: Any) -> Any:
    return asyncio.run(story)


def test_health_says_nothing_but_that_it_is_there() -> None:
    heard = told(WebWorld().ask("GET", "/healthz"))
    assert (heard.status, heard.json) == (200, {"ok": True})


def test_readiness_follows_the_services() -> None:
    world = WebWorld()
    assert told(world.ask("GET", "/readyz")).status == 200
    world.ready = False
    heard = told(world.ask("GET", "/readyz"))
    assert (heard.status, heard.json, heard.headers["retry-after"]) == (503, {"ready": False}, "1")


def test_any_key_learns_the_version() -> None:
    heard = told(WebWorld().ask("GET", "/version", b"", keyed("k1", frozenset())))
    assert heard.json == {"name": "thorp", "version": "1.2.3"}
