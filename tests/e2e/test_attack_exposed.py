"""Attacks on the listener for other devices: old TLS, no TLS, half a handshake, and what is left when it closes."""

import os
import select
import socket
import ssl
import struct
from collections.abc import Generator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.attack_house import House, house
from tests.e2e.attack_wire import JSON, PATIENCE, Place, as_json, ask, bearer
from thorp.testing.process import running_node, until

ALERT, HANDSHAKE, SERVER_HELLO = 21, 22, 2
PROTOCOL_VERSION = 70
SSL3, TLS10, TLS11, TLS12 = 0x0300, 0x0301, 0x0302, 0x0303


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("exposed")) as opened:
        opened.expose()
        yield opened


@pytest.fixture
def exposed(home: House) -> Generator[Place]:
    """The listener, which must still answer afterwards, as must the owner's own."""
    assert home.exposed
    yield home.exposed
    assert ask(home.exposed, "GET", "/healthz").status == 200
    assert ask(home.tcp, "GET", "/healthz").status == 200


def bare(place: Place) -> socket.socket:
    return socket.create_connection((place.host, place.port), PATIENCE)


def client_hello(version: int) -> bytes:
    """The first words of a client that knows nothing newer than `version`."""
    ciphers = struct.pack("!8H", 0xC02B, 0xC02C, 0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035)
    groups = struct.pack("!HHHH", 10, 4, 2, 0x0017)
    points = struct.pack("!HHBB", 11, 2, 1, 0)
    signatures = struct.pack("!HHHHH", 13, 6, 4, 0x0403, 0x0401)
    extensions = groups + points + signatures
    body = struct.pack("!H", version) + os.urandom(32) + b"\0"
    body += struct.pack("!H", len(ciphers)) + ciphers + b"\x01\0" + struct.pack("!H", len(extensions)) + extensions
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    return struct.pack("!BHH", HANDSHAKE, min(version, TLS10), len(hello)) + hello


def received(line: socket.socket) -> bytes:
    """Everything until the other side hangs up, in whichever way."""
    read = b""
    with suppress(ConnectionError):
        while piece := line.recv(4096):
            read += piece
    return read


@pytest.mark.parametrize("version", [SSL3, TLS10, TLS11])
def test_old_tls_is_refused_before_anything_is_said(exposed: Place, version: int) -> None:
    with bare(exposed) as line:
        line.sendall(client_hello(version))
        answer = received(line)
        assert not answer or (answer[0], answer[6]) == (ALERT, PROTOCOL_VERSION)


def test_the_same_words_with_tls_1_2_are_understood(exposed: Place) -> None:
    with bare(exposed) as line:
        line.sendall(client_hello(TLS12))
        answer = line.recv(4096)
        assert (answer[0], answer[5]) == (HANDSHAKE, SERVER_HELLO)  # so the refusals above are for the version


def test_a_connection_is_of_the_newest_tls_with_nothing_squeezed_and_http_1_1_alone(exposed: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with bare(exposed) as line, context.wrap_socket(line) as secured:
        assert (secured.version(), secured.compression(), secured.selected_alpn_protocol()) == (
            "TLSv1.3",
            None,
            "http/1.1",
        )


RUBBISH = {
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "plain HTTP with a key": b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer thorp_k\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.9\r\n",
    "nothing but zeros": bytes(70_000),
    "a record without end": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "a hello that lies about its length": b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x03",
    "half a hello and the end": client_hello(TLS12)[:20],
}


@pytest.mark.parametrize("what", RUBBISH)
def test_what_is_no_tls_ends_and_hinders_nobody(exposed: Place, what: str) -> None:
    with bare(exposed) as line:
        with suppress(ConnectionError):
            line.sendall(RUBBISH[what])
            line.shutdown(socket.SHUT_WR)
        assert b"HTTP/" not in received(line)


def test_a_crowd_of_half_handshakes_is_let_go_and_others_come_in_meanwhile(exposed: Place) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(bare(exposed)) for _ in range(40)]
        begun = [stack.enter_context(bare(exposed)) for _ in range(40)]
        for line in begun:
            line.sendall(client_hello(TLS12)[:60])
        for _ in range(20):
            assert ask(exposed, "GET", "/healthz").status == 200
        until(lambda: len(select.select([*silent, *begun], [], [], 0)[0]) == 80, "stalled handshakes are cut")


def test_after_the_end_of_the_exposure_nothing_of_it_is_left(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        exposed, key = home.expose(), home.key("node:read")
        with exposed.dial() as stream:
            assert stream.ask("GET", "/api/v1/stream", [bearer(key)]).status == 200
            assert stream.take()
            assert home.owner("DELETE", "/api/v1/exposure").status == 200
            stream.rest()  # ends
        with pytest.raises(ConnectionRefusedError):
            exposed.dial()
        assert [row["kind"] for row in home.node.status()["listeners"]] == ["local", "socket"]
        assert ask(home.tcp, "GET", "/api/v1/node", [bearer(key)]).status == 200  # its keys stay until revoked


def test_the_key_of_the_certificate_is_the_nodes_alone(home: House) -> None:
    for name in ("expose.key", "expose.crt"):
        assert (home.node.paths.keys / name).stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" in (home.node.paths.keys / "expose.key").read_bytes()


def test_the_local_listener_cannot_be_talked_into_listening_for_others(home: House) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.org"):
        answer = home.owner("PUT", "/api/v1/config/local.host", {"value": host})
        assert 400 <= answer.status < 500, answer
    assert home.node.thorp("config", "get", "local.host").stdout.strip() == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_node_does_not_start_with_its_local_listener_open_to_others(tmp_path: Path, host: str) -> None:
    """Whoever edited the file or set the variable hears that this is what `thorp expose` is for."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "config.toml").write_text(f'[local]\nhost = "{host}"\n')
    with pytest.raises(Exception, match="thorp expose"), running_node(tmp_path / "n"):
        raise AssertionError("the node started")


def test_other_devices_have_no_way_to_ask_for_more_than_their_key(home: House) -> None:
    assert home.exposed
    key = home.owner("POST", "/api/v1/exposure", {"host": "127.0.0.1", "port": home.exposed.port}).json["key"]
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Thorp-Owner", "X-Remote-User"):
        answer = ask(
            home.exposed, "POST", "/api/v1/keys", [bearer(key), (name, "127.0.0.1"), JSON], as_json({"name": "x"})
        )
        assert answer.status == 403
