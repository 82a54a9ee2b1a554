"""The engine of the household runs with company and leave, lets in who is here, and is gone when it shall be gone."""

import asyncio
import hashlib
import os
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from thorp.app.lan_engine import EngineService
from thorp.app.lan_place import Present
from thorp.app.settings import Settings
from thorp.app.tree import ServiceTree
from thorp.base.clock import SystemClock
from thorp.base.errors import ConflictError, TryAgainError
from thorp.base.service import ServiceState
from thorp.identity.ids import NodeId
from thorp.mesh.settings import LanSettings
from thorp.mesh.types import Around, Neighbour
from thorp.models.settings import SharingSettings, TransferSettings
from thorp.net.interfaces import Nic
from thorp.swarm.engine import Engine
from thorp.swarm.recipes import household_torrent
from thorp.swarm.settings import SwarmSettings

HERE, OTHER, MIA, TOM = "127.0.0.2", "127.0.0.5", "127.0.0.3", "127.0.0.4"
PATIENCE = 30.0
DATA = b"weights" * 1000
CARD = {"format": "gguf", "model_id": "m", "revision": "r", "source": "hub"}
SEALED = household_torrent("m", len(DATA), hashlib.sha1(DATA, usedforsecurity=False).digest(), card=CARD)


def nic(address: str) -> Nic:
    return Nic("lo", address, 8, "127.255.255.255")


def neighbour(address: str) -> Neighbour:
    return Neighbour(NodeId(f"ed25519:{address}"), "mia", address, 7081, 7080, "", 0, (), 0.0, "packet")


@dataclass(eq=False)
class Place:
    """Where this node is, as a test wants it."""

    at: tuple[Nic, ...] = (nic(HERE),)
    asked: int = 0

    def nics(self) -> tuple[Nic, ...]:
        self.asked += 1
        return self.at


@dataclass(eq=False)
class World:
    """One engine service in a tree, and everything that it goes by."""

    settings: Settings = field(default_factory=lambda: Settings(swarm=SwarmSettings(port=0)))
    place: Place = field(default_factory=Place)
    present: Present = field(default_factory=Present)
    company: Callable[[], bool] = lambda: True
    refresh: Callable[[], None] = lambda: None
    refreshed: int = 0
    ports: list[int] = field(default_factory=list[int])
    states: list[ServiceState] = field(default_factory=list[ServiceState])

    def __post_init__(self) -> None:
        self.service = EngineService(
            self.place,
            self.present,
            lambda: self.settings,
            lambda: self.company(),  # noqa: PLW0108  (a test changes it)
            self._refresh,
        )
        self.service.changed = lambda: self.ports.append(self.service.port())
        self.tree = ServiceTree(
            (self.service,), SystemClock(), lambda branch: self.states.append(branch.state), lambda _why: None
        )

    def _refresh(self) -> None:
        self.refreshed += 1
        self.refresh()

    def change(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)
        self.service.poke()

    async def until(self, reached: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not reached():
                await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """One whole look more, with everything as it is now."""
        before = self.place.asked
        self.service.poke()
        await self.until(lambda: self.place.asked > before)
        self.service.poke()  # which comes after that one is over
        await self.until(lambda: self.place.asked > before + 1)

    async def runs(self) -> Engine:
        await self.until(lambda: self.service.engine() is not None and self.service.port())
        engine = self.service.engine()
        assert engine is not None
        return engine


@asynccontextmanager
async def living(**given: Any) -> AsyncGenerator[World]:
    world = World(**given)
    await world.tree.start()
    try:
        yield world
    finally:
        await world.tree.stop("enough")
        assert world.service.engine() is None
        assert world.service.port() == 0
        assert not swarm_threads()


def swarm_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "thorp-swarm"]


def is_let_in(source: str, engine: Engine, at: str = HERE, infohash: bytes = SEALED.infohash) -> bool:
    """Whether somebody who calls from there is answered."""
    with socket.create_connection((at, engine.port), timeout=PATIENCE, source_address=(source, 0)) as line:
        try:
            line.sendall(b"\x13BitTorrent protocol" + bytes(8) + infohash + b"-XX0001-" + os.urandom(12))
            return bool(line.recv(68))
        except ConnectionError:
            return False


def handing_out(world: World, top: Path) -> None:
    """From here on each look hands out a file."""
    at = top / "blob"
    at.write_bytes(DATA)

    def refresh() -> None:
        engine = world.service.engine()
        assert engine is not None
        engine.seed(SEALED.content, at)

    world.refresh = refresh


# When it runs


@pytest.mark.parametrize(
    ("changes", "company", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"lan": LanSettings(enabled=False)}, True, False),
        ({"sharing": SharingSettings(household=False)}, True, False),
        ({"swarm": SwarmSettings(port=0, tracker=True)}, False, True),
        ({"swarm": SwarmSettings(port=0, tracker=True), "sharing": SharingSettings(household=False)}, True, False),
        ({"swarm": SwarmSettings(port=0, tracker=True), "lan": LanSettings(enabled=False)}, True, False),
    ],
)
def test_it_runs_with_company_and_leave(changes: dict[str, Any], company: bool, expected: bool) -> None:
    async def story() -> bool:
        settings = replace(Settings(swarm=SwarmSettings(port=0)), **changes)
        async with living(settings=settings, company=lambda: company) as world:
            await world.looked()
            return world.service.engine() is not None

    assert asyncio.run(story()) is expected


def test_a_node_without_a_network_runs_none_and_starts_when_there_is_one() -> None:
    async def story() -> None:
        async with living(place=Place(())) as world:
            await world.looked()
            assert (world.service.engine(), world.present.nics) == (None, ())
            world.place.at = (nic(HERE),)
            world.service.poke()
            await world.runs()
            assert world.present.nics == world.place.at

    asyncio.run(story())


def test_it_ends_with_the_last_company_and_comes_back_with_the_next() -> None:
    async def story() -> None:
        async with living() as world:
            first = await world.runs()
            world.company = lambda: False
            world.service.poke()
            await world.until(lambda: world.service.engine() is None and not first.port)
            world.company = lambda: True
            world.service.poke()
            assert await world.runs() is not first
            await world.until(lambda: len(world.ports) == 3)
            assert [bool(port) for port in world.ports] == [True, False, True]

    asyncio.run(story())


def test_the_same_engine_goes_on_whatever_else_is_looked_at() -> None:
    async def story() -> None:
        async with living() as world:
            engine = await world.runs()
            for _ in range(3):
                await world.looked()
            assert world.service.engine() is engine
            assert len(world.ports) == 1

    asyncio.run(story())


# Whom it lets in


def test_E57_who_is_here_is_let_in_and_who_went_or_never_was_is_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with living() as world:
            engine = await world.runs()
            handing_out(world, tmp_path)
            world.service.poke(library=True)
            await world.until(engine.seeds)
            assert not await asyncio.to_thread(is_let_in, MIA, engine)
            world.present.around = Around((neighbour(MIA),))
            world.service.admit()
            await world.until(lambda: is_let_in(MIA, engine))
            assert not await asyncio.to_thread(is_let_in, TOM, engine)
            world.present.around = Around()
            world.service.admit()
            await world.until(lambda: not is_let_in(MIA, engine))

    asyncio.run(story())


def test_who_went_is_cut_off_while_the_library_is_looked_at(tmp_path: Path) -> None:
    async def story() -> None:
        free, busy = threading.Event(), threading.Event()
        async with living(present=Present(Around((neighbour(MIA),)))) as world:
            engine = await world.runs()
            handing_out(world, tmp_path)
            world.service.poke(library=True)
            await world.until(lambda: engine.seeds() and is_let_in(MIA, engine))

            def refresh() -> None:
                busy.set()
                free.wait(PATIENCE)

            world.refresh = refresh
            world.service.poke(library=True)
            await world.until(busy.is_set)
            world.present.around = Around()
            world.service.admit()
            await world.until(lambda: not is_let_in(MIA, engine))
            free.set()

    asyncio.run(story())


def test_who_went_is_cut_off_while_every_other_thread_of_the_node_is_busy(tmp_path: Path) -> None:
    async def story() -> None:
        free, busy = threading.Event(), threading.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with living(present=Present(Around((neighbour(MIA),)))) as world:
            engine = await world.runs()
            handing_out(world, tmp_path)
            world.service.poke(library=True)
            await world.until(lambda: engine.seeds() and is_let_in(MIA, engine))

            def hold() -> None:
                busy.set()
                free.wait(PATIENCE)

            held = asyncio.create_task(asyncio.to_thread(hold))
            await world.until(busy.is_set)
            world.present.around = Around()
            world.service.admit()
            await world.until(lambda: not is_let_in(MIA, engine))
            assert not held.done()
            free.set()
            await held

    asyncio.run(story())


def test_machines_that_the_owner_lists_are_let_in_as_soon_as_they_are(tmp_path: Path) -> None:
    async def story() -> None:
        async with living() as world:
            engine = await world.runs()
            handing_out(world, tmp_path)
            world.change(swarm=SwarmSettings(port=0, hosts=(TOM,)))
            world.service.poke(library=True)
            await world.until(lambda: engine.seeds() and is_let_in(TOM, engine))
            assert world.service.admitted() == {TOM}
            assert not await asyncio.to_thread(is_let_in, MIA, engine)
            world.change(swarm=SwarmSettings(port=0))
            await world.until(lambda: not is_let_in(TOM, engine))

    asyncio.run(story())


def test_to_admit_before_there_is_an_engine_is_no_fault() -> None:
    async def story() -> None:
        async with living(company=lambda: False) as world:
            world.service.admit()
            await world.looked()
            world.company = lambda: True
            world.service.poke()
            await world.runs()

    asyncio.run(story())


# What it follows


def test_E60_it_follows_the_networks_with_the_port_that_others_know() -> None:
    async def story() -> None:
        async with living() as world:
            engine = await world.runs()
            port = engine.port
            world.place.at = (nic(OTHER),)
            await world.looked()
            assert (world.service.engine(), engine.port) == (engine, port)
            with socket.create_connection((OTHER, port), timeout=PATIENCE):
                pass
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HERE, port), timeout=PATIENCE)

    asyncio.run(story())


def test_E60_a_network_that_comes_is_joined_and_the_one_that_was_there_goes_on() -> None:
    async def story() -> None:
        async with living() as world:
            engine = await world.runs()
            with socket.create_server((OTHER, engine.port)):
                world.place.at = (nic(HERE), nic(OTHER))
                await world.looked()
                await world.until(lambda: OTHER in world.service.why)
                with socket.create_connection((HERE, engine.port), timeout=PATIENCE):
                    pass
            await world.looked()
            await world.until(lambda: not world.service.why)
            assert world.service.engine() is engine
            for address in (HERE, OTHER):
                with socket.create_connection((address, engine.port), timeout=PATIENCE):
                    pass

    asyncio.run(story())


def test_a_first_look_at_the_library_that_failed_is_made_again() -> None:
    def broken() -> None:
        raise ConflictError("the library is locked")

    async def story() -> None:
        async with living(company=lambda: False) as world:
            await world.looked()
            world.refresh, world.company = broken, lambda: True
            world.service.poke()
            await world.until(lambda: world.service.why == "the library is locked")
            before, world.refresh = world.refreshed, lambda: None
            world.service.poke()
            await world.until(lambda: not world.service.why)
            assert world.refreshed == before + 1

    asyncio.run(story())


def test_a_taken_port_is_told_tried_again_and_told_no_more() -> None:
    async def story() -> None:
        with socket.create_server((HERE, 0)) as taken:
            settings = Settings(swarm=SwarmSettings(port=taken.getsockname()[1]))
            async with living(settings=settings) as world:
                await world.until(lambda: world.service.why)
                assert "cannot listen" in world.service.why
                assert world.service.engine() is None
                taken.close()
                world.service.poke()
                await world.runs()
                await world.until(lambda: not world.service.why)
                assert world.refreshed == 1
                assert ServiceState.RESTARTING not in world.states

    asyncio.run(story())


def test_what_is_turned_off_has_no_fault_to_tell() -> None:
    async def story() -> None:
        with socket.create_server((HERE, 0)) as taken:
            async with living(settings=Settings(swarm=SwarmSettings(port=taken.getsockname()[1]))) as world:
                await world.until(lambda: world.service.why)
                world.change(lan=LanSettings(enabled=False))
                await world.until(lambda: not world.service.why)

    asyncio.run(story())


def test_a_household_that_is_not_known_yet_is_waited_for() -> None:
    def unknown() -> bool:
        raise TryAgainError("This node is still looking up its household.")

    async def story() -> None:
        async with living(company=unknown) as world:
            await world.until(lambda: "still looking" in world.service.why)
            world.company = lambda: True
            world.service.poke()
            await world.runs()
            assert ServiceState.RESTARTING not in world.states

    asyncio.run(story())


def test_the_library_is_looked_at_after_the_start_and_after_changes_alone() -> None:
    async def story() -> None:
        async with living() as world:
            await world.runs()
            await world.until(lambda: world.refreshed == 1)
            await world.looked()
            assert world.refreshed == 1
            world.service.poke(library=True)
            await world.until(lambda: world.refreshed == 2)

    asyncio.run(story())


def test_a_library_that_could_not_be_looked_at_is_looked_at_again() -> None:
    async def story() -> None:
        async with living() as world:
            await world.runs()
            await world.until(lambda: world.refreshed == 1)

            def broken() -> None:
                raise ConflictError("the library is locked")

            world.refresh = broken
            world.service.poke(library=True)
            await world.until(lambda: world.service.why == "the library is locked")
            world.refresh = lambda: None
            world.service.poke()
            await world.until(lambda: not world.service.why)
            assert world.refreshed == 3

    asyncio.run(story())


def test_limits_hold_as_soon_as_they_are_set() -> None:
    """Seen in what the engine itself goes by."""

    async def story() -> None:
        async with living() as world:
            engine = await world.runs()

            def limits() -> tuple[int, int]:
                session = engine._session  # pyright: ignore[reportPrivateUsage]
                assert session is not None
                found: Any = session.get_settings()
                return found["download_rate_limit"], found["upload_rate_limit"]

            assert limits() == (0, 0)
            world.change(transfers=TransferSettings(limit=500_000), swarm=SwarmSettings(port=0, upload=70_000))
            await world.until(lambda: limits() == (500_000, 70_000))

    asyncio.run(story())


# How it ends


def test_an_end_in_the_middle_of_a_start_leaves_no_engine_behind() -> None:
    async def story() -> None:
        free, asked = threading.Event(), threading.Event()

        def company() -> bool:
            asked.set()
            return free.wait(PATIENCE)

        async with living(company=company) as world:
            await world.until(asked.is_set)
            ending = asyncio.create_task(world.tree.stop("enough"))
            await world.until(lambda: world.service._over)  # pyright: ignore[reportPrivateUsage]
            free.set()
            await ending
            await world.until(lambda: not swarm_threads())
            assert world.service.engine() is None

    asyncio.run(story())


def test_a_poke_while_it_ends_starts_nothing_anew() -> None:
    async def story() -> None:
        async with living() as world:
            await world.runs()
            world.service.poke(library=True)
            ending = asyncio.create_task(world.tree.stop("enough"))
            while not ending.done():
                world.service.poke(library=True)
                world.service.admit()
                await asyncio.sleep(0)
            await ending

    asyncio.run(story())


def test_a_fault_that_nobody_foresaw_ends_it_whole_and_the_tree_begins_it_again() -> None:
    async def story() -> None:
        async with living() as world:
            first = await world.runs()

            def broken() -> None:
                raise RuntimeError("nobody foresaw it")

            world.refresh = broken
            world.service.poke(library=True)
            await world.until(lambda: ServiceState.RESTARTING in world.states)
            assert (first.port, swarm_threads()) == (0, [])
            world.refresh = lambda: None
            assert await world.runs() is not first

    asyncio.run(story())


def test_a_fault_in_letting_in_is_not_passed_over() -> None:
    """Or who was removed would stay in for as long as the node runs."""

    async def story() -> None:
        async with living() as world:
            await world.runs()
            good, world.settings = world.settings, Settings(swarm=SwarmSettings(port=0, hosts=("no address",)))
            world.service.admit()
            await world.until(lambda: ServiceState.RESTARTING in world.states)
            world.settings = good
            await world.runs()

    asyncio.run(story())
