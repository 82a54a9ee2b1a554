"""The long-lived parts as services."""

import asyncio
from pathlib import Path

import pytest

from thorp.app.services import CapabilityService, ListenerService, StoreService, close_listener
from thorp.app.tree import ServiceTree
from thorp.base.service import Service
from thorp.bus.dispatch import Bus
from thorp.net.facts import ListenerFacts
from thorp.store.database import Database
from thorp.store.node_db import NODE_MIGRATIONS
from thorp.store.shelves import SqliteKeyShelf
from thorp.testing.clock import FakeClock
from thorp.wire.capability import Call, Capability, Nothing, Offer


class Door:
    """A listener that only remembers what it was told."""

    def __init__(self) -> None:
        self.facts = ListenerFacts("local")
        self.told: list[str] = []

    async def start(self) -> None:
        self.told.append("start")

    def stop_accepting(self) -> None:
        self.told.append("stop accepting")

    async def drain(self, seconds: float) -> None:
        self.told.append(f"drain for {seconds:g} s")


def lived(*services: Service) -> list[str]:
    seen: list[str] = []

    async def story() -> None:
        tree = ServiceTree(
            services, FakeClock(), lambda branch: seen.append(f"{branch.spec.name} {branch.state}"), print
        )
        await tree.start()
        await tree.stop("enough")

    asyncio.run(story())
    return seen


def test_the_store_is_open_with_its_shelves_loaded_while_the_service_runs(tmp_path: Path) -> None:
    database = Database(tmp_path / "thorp.db", NODE_MIGRATIONS, FakeClock())
    shelf = SqliteKeyShelf(database)
    assert lived(StoreService(database, (shelf,)))[-1] == "store stopped"
    assert shelf.keys() == ()
    assert (tmp_path / "thorp.db").exists()
    assert not (tmp_path / "thorp.db.open").exists()


def test_a_store_that_cannot_open_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thorp.db").mkdir()
    with pytest.raises(Exception, match=r"thorp\.db"):
        lived(StoreService(Database(tmp_path / "thorp.db", NODE_MIGRATIONS, FakeClock()), ()))


def test_one_broken_capability_leaves_the_others_listed() -> None:
    async def handler(_call: Call[Nothing]) -> Nothing:
        return Nothing()

    async def broken() -> None:
        raise OSError("no such device")

    def offers() -> tuple[Offer, ...]:
        one = Capability("test.one", "1.0", "One.", Nothing, Nothing)
        two = Capability("test.two", "1.0", "Two.", Nothing, Nothing)
        return Offer(one, unary=handler, self_test=broken), Offer(two, unary=handler)

    bus = Bus(FakeClock(), lambda _change: None)
    lived(CapabilityService(bus, offers))
    assert {one.capability.name: (one.listed, one.reason) for one in bus.entries} == {
        "test.one": (False, "its self-test failed: no such device"),
        "test.two": (True, ""),
    }


def test_a_listener_is_closed_in_one_way() -> None:
    door = Door()
    asyncio.run(close_listener(door))
    assert door.told == ["stop accepting", "drain for 1 s"]


def test_a_listener_stops_accepting_before_it_drains() -> None:
    door = Door()
    service = ListenerService("local", door)
    lived(service)
    assert door.told == ["start", "stop accepting", "drain for 1 s"]
    assert not service.is_open
