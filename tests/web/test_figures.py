"""Figures for Prometheus, as Prometheus' own parser reads them."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from thorp.identity.principals import keyed
from thorp.identity.scopes import Scope
from thorp.testing.web import WebWorld
from thorp.wire.capabilities import every_capability

SCRAPER = keyed("k1", frozenset({Scope.METRICS}))


def scraped(calls: int = 0) -> dict[tuple[str, str], float]:
    async def story() -> bytes:
        world = await WebWorld().opened()
        for _ in range(calls):
            caller = keyed("k2", frozenset({Scope.NODE_READ}))
            await world.ask("POST", "/api/v1/call/node.info", b"", caller)
        return (await world.ask("GET", "/metrics", b"", SCRAPER)).body

    families = text_string_to_metric_families(asyncio.run(story()).decode())
    return {(one.name, next(iter(one.labels.values()), "")): one.value for family in families for one in family.samples}


def test_calls_are_counted_by_capability() -> None:
    figures = scraped(calls=3)
    assert figures["thorp_calls_total", "node.info@1.0"] == 3
    assert figures["thorp_calls_running", "node.info@1.0"] == 0
    assert figures["thorp_call_faults_total", "node.info@1.0"] == 0


def test_services_capabilities_and_memory_are_there() -> None:
    figures = scraped()
    assert figures["thorp_service_up", "store"] == 1
    assert figures["thorp_resident_bytes", ""] == 50_000_000
    assert figures["thorp_capability_listed", "node.echo@1.0"] == 1


def test_what_is_unknown_is_left_out() -> None:
    assert ("thorp_disk_free_bytes", "") not in scraped()


def test_every_label_is_one_of_ours() -> None:
    ids = {one.id for one in every_capability()}
    labels = {label for (name, label) in scraped() if name.startswith(("thorp_call", "thorp_capability"))}
    assert labels <= ids
