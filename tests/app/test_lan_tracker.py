"""Other clients of the house are answered only when the engine would let them in, and about what it has alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from thorp.app.lan_place import Present
from thorp.app.lan_tracker import House, TrackerService
from thorp.app.settings import Settings
from thorp.app.tree import ServiceTree
from thorp.models.shared import NotSharedError
from thorp.net.interfaces import Nic
from thorp.net.settings import MeshSettings
from thorp.swarm.bencoded import read
from thorp.swarm.recipes import household_torrent
from thorp.swarm.settings import SwarmSettings
from thorp.swarm.torrents import parse_torrent
from thorp.swarm.tracker import STRANGER
from thorp.testing.clock import FakeClock

CARD = {"format": "gguf", "model_id": "m", "revision": "0" * 40, "source": "hub"}
TORRENT = household_torrent("m.gguf", 5, b"h" * 20, card=CARD)
HERE = "127.0.0.1"
PATH = f"/torrents/{TORRENT.infohash.hex()}.torrent"
ANNOUNCE = f"/announce?info_hash={'%' + TORRENT.infohash.hex(' ').replace(' ', '%')}&port=6000&left=5&compact=1"


class World:
    def __init__(self, *, on: bool = True) -> None:
        swarm = SwarmSettings(tracker=on, tracker_port=0)
        self.settings = replace(Settings(), swarm=swarm, mesh=MeshSettings(host=HERE))
        self.admitted = frozenset({HERE})
        self.handed = frozenset({TORRENT.infohash})
        self.shared = True
        nic = Nic("eth0", "10.0.0.5", 24, "10.0.0.255")
        self.service = TrackerService(
            House(
                settings=lambda: self.settings,
                admitted=lambda: self.admitted,
                handed=lambda: self.handed,
                swarm_port=lambda: 7081,
                present=Present(nics=(nic,)),
                torrent=self._torrent,
                clock=FakeClock(),
            )
        )

    async def _torrent(self, infohash: str) -> bytes:
        assert infohash == TORRENT.infohash.hex()
        if not self.shared:
            raise NotSharedError("It is not shared.")
        return TORRENT.content

    async def ask(self, path: str, method: str = "GET", host: str = HERE, more: str = "") -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(HERE, self.service.port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def live(self, story: Callable[["World"], Awaitable[None]]) -> None:
        async def life() -> None:
            tree = ServiceTree((self.service,), FakeClock(), lambda _: None, print)
            await tree.start()
            try:
                await story(self)
            finally:
                self.service.stop_accepting()
                await tree.stop("enough")

        asyncio.run(life())


def said(body: bytes) -> dict[bytes, Any]:
    found: Any = read(body)
    assert isinstance(found, dict)
    return found


def test_a_torrent_leads_to_this_tracker_and_the_tracker_to_the_engine() -> None:
    async def story(world: World) -> None:
        url = world.service.address_of(TORRENT.infohash.hex())
        assert url == f"http://{HERE}:{world.service.port}{PATH}"
        status, content = await world.ask(PATH)
        assert (status, said(content)[b"announce"]) == (200, f"http://{HERE}:{world.service.port}/announce".encode())
        assert parse_torrent(content).infohash == TORRENT.infohash
        status, answer = await world.ask(ANNOUNCE)
        assert (status, said(answer)[b"peers"]) == (200, bytes((10, 0, 0, 5)) + (7081).to_bytes(2, "big"))

    World().live(story)


def test_while_it_is_off_there_is_no_port_and_no_address() -> None:
    async def story(world: World) -> None:
        assert (world.service.port, world.service.address_of(TORRENT.infohash.hex())) == (0, None)

    World(on=False).live(story)


@pytest.mark.parametrize("path", [PATH, ANNOUNCE, "/announce", "/torrents/", "/"])
def test_E64_who_is_not_let_in_gets_the_same_refusal_for_everything(path: str) -> None:
    async def story(world: World) -> None:
        world.admitted = frozenset()
        status, body = await world.ask(path)
        assert (status, list(said(body))) == (403, [b"failure reason"])

    World().live(story)


def test_nothing_is_known_of_what_is_not_handed_out() -> None:
    async def story(world: World) -> None:
        world.shared = False
        assert (await world.ask(PATH))[0] == 404
        world.shared, world.handed = True, frozenset()
        assert (await world.ask(PATH))[0] == 404
        assert b"failure reason" in (await world.ask(ANNOUNCE))[1]
        assert world.service.address_of(TORRENT.infohash.hex()) is None

    World().live(story)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", PATH, 404), ("POST", "/announce", 405), ("GET", PATH.upper(), 404), ("GET", f"{PATH}/..", 404)],
)
def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    async def story(world: World) -> None:
        assert (await world.ask(path, method))[0] == status

    World().live(story)


@pytest.mark.parametrize("path", [PATH, ANNOUNCE])
@pytest.mark.parametrize(
    ("host", "more"),
    [
        (HERE, "Origin: http://evil.example\r\n"),
        (HERE, "Origin: null\r\n"),
        (HERE, "Sec-Fetch-Site: cross-site\r\n"),
        (HERE, "Sec-Fetch-Site: none\r\n"),
        ("evil.example", ""),
        ("evil.example:7082", ""),
        ("localhost:7082", ""),
        ("127.1", ""),
    ],
)
def test_E64_a_web_page_gets_the_refusal_of_strangers(path: str, host: str, more: str) -> None:
    async def story(world: World) -> None:
        status, body = await world.ask(path, host=host, more=more)
        assert (status, said(body)) == (403, {b"failure reason": STRANGER.encode()})

    World().live(story)


@pytest.mark.parametrize("host", [HERE, "127.0.0.1:7082", "[::1]", "[fe80::1]:7082"])
def test_other_clients_go_by_an_address(host: str) -> None:
    async def story(world: World) -> None:
        assert (await world.ask(PATH, host=host))[0] == 200

    World().live(story)
