"""The door for other nodes stands open while there is somebody who may have a reason to call, and no longer."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from thorp.app.lan_listener import LanOffError, MeshListenerService
from thorp.app.settings import Settings
from thorp.app.tree import ServiceTree
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.files import DISK
from thorp.mesh.settings import LanSettings
from thorp.net.listen import PortTakenError
from thorp.net.settings import MeshSettings
from thorp.store.keyfiles import node_key

HERE = "127.0.0.1"
PATIENCE = 30.0


async def nobody(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Door:
    keys: Path
    needed: bool = False
    settings: Settings = field(default_factory=lambda: Settings(mesh=MeshSettings(host=HERE, port=0)))
    moves: int = 0  # how often the port was another one

    def __post_init__(self) -> None:
        node_key(DISK, self.keys, SystemRandomness())
        self.service = MeshListenerService(self.keys, lambda: self.settings, lambda: nobody, lambda: self.needed)
        self.service.changed = self.moved

    def moved(self) -> None:
        self.moves += 1

    @asynccontextmanager
    async def standing(self) -> AsyncGenerator[MeshListenerService]:
        tree = ServiceTree((self.service,), SystemClock(), lambda _branch: None, lambda _why: None)
        await tree.start()
        try:
            yield self.service
        finally:
            await tree.stop("enough")

    async def turned(self, *, needed: bool) -> None:
        self.needed = needed
        self.service.poke()
        await until(lambda: bool(self.service.port) is needed)


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0.01)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "keys")


def test_it_opens_and_shuts_as_it_is_needed_and_tells_of_both(door: Door) -> None:
    async def story() -> None:
        async with door.standing() as service:
            assert (service.port, service.why) == (0, "")
            await door.turned(needed=True)
            assert service.address == f"https://{HERE}:{service.port}"
            assert door.moves == 1
            await door.turned(needed=False)
            assert door.moves == 2
            await door.turned(needed=True)
        assert service.port == 0

    asyncio.run(story())


def test_it_speaks_nothing_older_than_tls_1_3(door: Door) -> None:
    async def story() -> None:
        async with door.standing() as service:
            await door.turned(needed=True)
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(HERE, service.port, ssl=old)

    asyncio.run(story())


def test_for_an_invite_it_opens_at_once_and_stays_until_the_invite_is_made(door: Door) -> None:
    async def story() -> None:
        async with door.standing() as service:
            await service.open_up()
            port = service.port
            assert port
            await service._look()
            assert service.port == port
            door.needed = True
            await service._look()
            assert service.port == port
            await door.turned(needed=False)

    asyncio.run(story())


def test_an_invite_that_was_never_made_leaves_no_open_door(door: Door) -> None:
    async def story() -> None:
        async with door.standing() as service:
            await service.open_up()
            await service._look()
            await service._look()
            assert service.port == 0

    asyncio.run(story())


def test_turned_off_it_opens_for_nobody(door: Door) -> None:
    async def story() -> None:
        async with door.standing() as service:
            await door.turned(needed=True)
            door.settings = replace(door.settings, lan=LanSettings(enabled=False))
            service.poke()
            await until(lambda: not service.port)
            with pytest.raises(LanOffError, match=r"lan\.enabled"):
                await service.open_up()

    asyncio.run(story())


def test_nobody_opens_it_before_the_node_is_up_or_after_it_ended(door: Door) -> None:
    async def story() -> None:
        with pytest.raises(LanOffError):
            await door.service.open_up()
        async with door.standing():
            await door.turned(needed=True)
        with pytest.raises(LanOffError):
            await door.service.open_up()
        assert door.service.port == 0

    asyncio.run(story())


def test_a_port_that_is_taken_is_told_and_tried_again(tmp_path: Path, door: Door) -> None:
    async def story() -> None:
        other = Door(tmp_path / "others")
        async with other.standing():
            async with door.standing() as service:
                await door.turned(needed=True)
                other.settings = replace(other.settings, mesh=MeshSettings(host=HERE, port=service.port))
                other.needed = True
                other.service.poke()
                await until(lambda: "mesh.port" in other.service.why)
                with pytest.raises(PortTakenError):
                    await other.service.open_up()
            await other.turned(needed=True)
            assert other.service.why == ""

    asyncio.run(story())
