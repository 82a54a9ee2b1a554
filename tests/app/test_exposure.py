"""The listener for other devices follows the settings."""

import asyncio
import json
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from thorp.app.exposure import CERTIFICATE, CERTIFICATE_KEY, ExposedMaker, Exposure, Way
from thorp.app.settings import Settings
from thorp.base.errors import ConflictError
from thorp.net.blocking import BlockingClient, WrongCertificateError
from thorp.net.settings import LocalSettings
from thorp.testing.clock import FakeClock
from thorp.wire.changes import Change, ExposureChanged

HERE = LocalSettings(expose_host="127.0.0.1", expose_port=0)


async def says_hello(_scope, _receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps({"hello": True}).encode()})


class World:
    def __init__(self, keys: Path, local: LocalSettings = HERE) -> None:
        self.clock = FakeClock()
        self.changes: list[Change] = []
        self.maker = ExposedMaker(keys, self.clock, says_hello, lambda: ())
        self.exposure = Exposure(lambda: local, self.maker.make, self.changes.append)


async def asked(url: str) -> object:
    return (await asyncio.to_thread(BlockingClient.url(url, "").request, "GET", "/")).data


def settings(local: LocalSettings) -> Settings:
    return replace(Settings(), local=local)


def test_it_opens_moves_and_closes_as_the_settings_say(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        nothing, plain = settings(LocalSettings()), settings(replace(HERE, expose_plain=True))
        await world.exposure.apply(nothing, plain)
        address = world.exposure.address or ""
        assert address.startswith("http://127.0.0.1:")
        assert await asked(address) == {"hello": True}
        assert world.exposure.rows()[0].reach == "other devices, with a key"
        await world.exposure.apply(plain, nothing)
        assert world.exposure.address is None
        assert world.exposure.rows() == ()
        assert world.changes == [ExposureChanged(address=address), ExposureChanged(address=None)]

    asyncio.run(story())


def test_with_tls_the_fingerprint_is_what_a_client_pins(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        await world.exposure.apply(settings(LocalSettings()), settings(HERE))
        opened = world.exposure.opened
        assert opened is not None
        assert await asked(f"{opened.address}#sha256={opened.fingerprint}") == {"hello": True}
        with pytest.raises(WrongCertificateError):
            await asked(f"{opened.address}#sha256={'0' * 64}")
        await world.exposure.apply(settings(HERE), settings(LocalSettings()))

    asyncio.run(story())


def test_the_certificate_stays_as_long_as_it_lives(tmp_path: Path) -> None:
    world = World(tmp_path)
    way = Way("127.0.0.1", 0, plain=False)
    first = world.maker.make(way).fingerprint
    assert world.maker.make(way).fingerprint == first
    assert (tmp_path / CERTIFICATE_KEY).stat().st_mode & 0o777 == 0o600
    world.clock.advance(3 * 365 * 24 * 3600)
    assert world.maker.make(way).fingerprint != first
    assert b"PRIVATE" not in (tmp_path / CERTIFICATE).read_bytes()


def test_what_cannot_open_leaves_the_old_one_in_place(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        plain = settings(replace(HERE, expose_plain=True))
        await world.exposure.apply(settings(LocalSettings()), plain)
        taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(ConflictError):
            await world.exposure.apply(plain, settings(replace(HERE, expose_plain=True, expose_port=port)))
        assert await asked(world.exposure.address or "") == {"hello": True}
        taken.close()
        await world.exposure.apply(plain, settings(LocalSettings()))

    asyncio.run(story())


def test_it_objects_to_the_port_of_the_local_listener(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.exposure.review(Settings(), settings(LocalSettings(expose_host="0.0.0.0", expose_port=8737)))
    assert world.exposure.review(Settings(), settings(LocalSettings(expose_port=8737))) == ()
    assert world.exposure.review(Settings(), settings(LocalSettings(expose_host="0.0.0.0"))) == ()


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        await world.exposure.apply(settings(LocalSettings()), settings(HERE))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        port = int((world.exposure.address or "").rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()
        await writer.wait_closed()
        await world.exposure.apply(settings(HERE), settings(LocalSettings()))

    asyncio.run(story())
