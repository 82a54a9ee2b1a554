"""The engine for everybody runs while the owner says so, and not a moment longer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from thorp.app.public_engine import PublicEngineService, profile_of
from thorp.app.settings import Settings
from thorp.app.tree import ServiceTree
from thorp.base.errors import ConflictError, ThorpError
from thorp.base.fanout import Fanout
from thorp.swarm.profile import NEVER, NOT_PUBLIC
from thorp.swarm.settings import SwarmSettings
from thorp.testing.clock import FakeClock
from thorp.testing.process import free_port
from thorp.wire.changes import Change, LibraryChanged

OFF = SwarmSettings(public_port=0)
ON = replace(OFF, public=True)


class World:
    def __init__(self, swarm: SwarmSettings, address: str | None = "127.0.0.1") -> None:
        self.settings = replace(Settings(), swarm=swarm)
        self.changes = Fanout[Change]()
        self.failure: ThorpError | None = None
        self.refreshed: asyncio.Queue[int] = asyncio.Queue()
        self.service = PublicEngineService(lambda: self.settings, self._refresh, self.changes, lambda: address)

    def _refresh(self) -> None:
        self.loop.call_soon_threadsafe(self.refreshed.put_nowait, self.service.port())
        if self.failure is not None:
            raise self.failure

    async def set(self, swarm: SwarmSettings) -> None:
        wanted = replace(self.settings, swarm=swarm)
        await self.service.apply(self.settings, wanted)
        self.settings = wanted

    def live(self, story: Callable[["World"], Awaitable[None]]) -> None:
        async def life() -> None:
            self.loop = asyncio.get_running_loop()
            tree = ServiceTree((self.service,), FakeClock(), lambda _: None, print)
            await tree.start()
            try:
                await story(self)
            finally:
                await tree.stop("enough")
            assert self.service.engine() is None

        asyncio.run(life())


def test_it_is_off_until_the_owner_turns_it_on_and_gone_when_that_is_answered() -> None:
    async def story(world: World) -> None:
        assert (world.service.engine(), world.service.port()) == (None, 0)
        await world.set(ON)
        port = world.service.port()
        assert port
        assert await world.refreshed.get() == port
        await world.set(OFF)
        assert world.service.engine() is None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    World(OFF).live(story)


def test_it_looks_again_whenever_the_library_changes() -> None:
    async def story(world: World) -> None:
        assert await world.refreshed.get()
        world.changes.publish(LibraryChanged(what="added", model_ids=("m",)))
        assert await world.refreshed.get()

    World(ON).live(story)


def test_a_look_at_the_library_that_failed_is_told_and_made_again() -> None:
    async def story(world: World) -> None:
        await world.refreshed.get()
        world.failure = ConflictError("the library is locked")
        world.changes.publish(LibraryChanged(what="added", model_ids=("m",)))
        await world.refreshed.get()
        await world.set(replace(ON, public_upload=1000))
        assert world.service.why == "Sharing with everybody: the library is locked"
        assert world.refreshed.get_nowait()
        world.failure = None
        await world.set(replace(ON, public_upload=2000))
        assert world.service.why == ""
        assert world.refreshed.get_nowait()
        await world.set(replace(ON, public_upload=3000))
        assert world.refreshed.empty()

    World(ON).live(story)


def test_what_is_turned_off_has_no_fault_to_tell() -> None:
    async def story(world: World) -> None:
        await world.set(ON)
        assert world.service.why
        await world.set(OFF)
        assert world.service.why == ""

    World(OFF, address=None).live(story)


def test_another_port_is_taken_at_once() -> None:
    async def story(world: World) -> None:
        await world.refreshed.get()
        port = free_port()
        await world.set(replace(ON, public_port=port, public_upload=1000))
        assert world.service.port() == port
        assert await world.refreshed.get() == port

    World(ON).live(story)


def test_without_a_way_out_it_says_so_and_the_node_goes_on() -> None:
    async def story(world: World) -> None:
        await world.set(ON)
        assert (world.service.engine(), "no way to the internet" in world.service.why) == (None, True)

    World(OFF, address=None).live(story)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        async def nobody(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            """Takes the port, and says nothing."""

        async with await asyncio.start_server(nobody, "127.0.0.1", 0) as server:
            await world.set(replace(ON, public_port=server.sockets[0].getsockname()[1]))
            assert world.service.engine() is None
            assert "cannot listen" in world.service.why

    World(OFF).live(story)


def test_private_addresses_are_spoken_to_only_when_the_dht_is_of_ones_own_network() -> None:
    assert profile_of(ON).denied == NOT_PUBLIC
    assert profile_of(replace(ON, bootstrap=("router.example:6881", "10.0.0.9:1"))).denied == NOT_PUBLIC
    own = profile_of(replace(ON, bootstrap=("10.0.0.9:6881", "192.168.1.2:1")))
    assert own.denied == NEVER
    assert own.settings["dht_bootstrap_nodes"] == "10.0.0.9:6881,192.168.1.2:1"
    assert not {"10.0.0.0", "172.16.0.0", "192.168.0.0"} & {first for first, _ in NEVER}
    assert {"127.0.0.0", "169.254.0.0", "224.0.0.0"} <= {first for first, _ in NEVER}
