"""The second user of these tests is real: a child process under another uid. They run as root."""

import ipaddress
import os
import socket
import struct
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from thorp.net.peeruid import (
    UNNAMEABLE,
    is_at_home,
    is_same_user,
    is_within,
    question,
    tcp_peer_uid,
    uid_in,
    unix_peer_uid,
)

SOMEBODY_ELSE = 12345

CONNECT = """
import os, socket, sys
user, family, address, port = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
os.setuid(user)
s = socket.socket(family)
s.connect((address, port) if port else address)
print("connected", flush=True)
sys.stdin.read()
"""


@contextmanager
def connected_as(user, family, address, port=0):
    """A process of that user, connected; ends with the block."""
    assert os.geteuid() == 0, "these tests need root to become a second user"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CONNECT, str(user), str(int(family)), address, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={},
    )
    with child:
        assert child.stdout.readline() == b"connected\n"
        yield
        child.stdin.close()


def listening(family, address):
    server = socket.socket(family)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind((address, 0))
    server.listen()
    return closing(server)


@pytest.mark.parametrize(
    ("family", "listens", "client_family", "connects"),
    [
        (socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.8.8.8"),
        (socket.AF_INET6, "::1", socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "::", socket.AF_INET6, "::ffff:127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", socket.AF_INET6, "::ffff:127.0.0.1"),
    ],
)
@pytest.mark.parametrize("user", [0, SOMEBODY_ELSE, UNNAMEABLE])
def test_a_loopback_connection_tells_the_user_of_its_client(family, listens, client_family, connects, user):
    if connects == "127.8.8.8":
        listens = "0.0.0.0"
    with listening(family, listens) as server, connected_as(user, client_family, connects, server.getsockname()[1]):
        connection, _ = server.accept()
        with connection:
            assert tcp_peer_uid(connection.getpeername()[:2], connection.getsockname()[:2]) == user


def test_a_client_that_has_closed_is_nobody():
    with listening(socket.AF_INET, "127.0.0.1") as server:
        client = socket.create_connection(server.getsockname())
        connection, name = server.accept()
        with connection:
            assert tcp_peer_uid(name, connection.getsockname()) == os.geteuid()
            client.close()
            assert tcp_peer_uid(name, connection.getsockname()) is None
        assert tcp_peer_uid(name, server.getsockname()) is None


def test_a_listening_socket_on_the_clients_port_does_not_answer_for_it():
    with listening(socket.AF_INET, "127.0.0.1") as server, listening(socket.AF_INET, "127.0.0.1") as other:
        assert tcp_peer_uid(other.getsockname(), server.getsockname()) is None


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "fe80::1%lo", "0.0.0.0"])
def test_only_loopback_is_asked_about(address):
    assert tcp_peer_uid((address, 4000), (address, 80)) is None


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.8.8.8", "127.0.0.1", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("192.0.2.7", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.7", False),
        ("fe80::1%lo", "::1", False),
    ],
)
def test_within_this_machine_are_connections_whose_both_ends_are(client, server, expected):
    assert is_within((client, 4000), (server, 80)) is expected


@pytest.mark.parametrize("user", [0, SOMEBODY_ELSE])
def test_a_unix_socket_tells_the_user_who_connected(user):
    with TemporaryDirectory() as folder, closing(socket.socket(socket.AF_UNIX)) as server:
        Path(folder).chmod(0o711)
        path = f"{folder}/s"
        server.bind(path)
        server.listen()
        Path(path).chmod(0o777)
        with connected_as(user, socket.AF_UNIX, path):
            connection, _ = server.accept()
            with connection:
                assert unix_peer_uid(connection) == user


def test_a_socket_without_credentials_tells_nothing():
    with closing(socket.socket(socket.AF_INET)) as lone:
        assert unix_peer_uid(lone) in {None, 0, 2**32 - 1}
    assert unix_peer_uid(lone) is None


@pytest.mark.parametrize(
    ("uid", "own", "expected"),
    [
        (1000, 1000, True),
        (0, 0, True),
        (1001, 1000, False),
        (0, 1000, False),
        (None, 0, None),
        (UNNAMEABLE, UNNAMEABLE, None),
    ],
)
def test_an_unsure_user_is_not_the_same_user(uid, own, expected):
    assert is_same_user(uid, own) is expected


CLIENT, SERVER = (ipaddress.ip_address("127.0.0.1"), 40000), (ipaddress.ip_address("127.0.0.1"), 80)


def kernel_says(*, kind=20, family=socket.AF_INET, state=1, client=CLIENT, server=SERVER, uid=7, inode=9):
    """An answer as the kernel would build it."""
    socket_id = question(client, server)[16 + 8 :]
    body = struct.pack("=BBBB", family, state, 0, 0) + socket_id + struct.pack("=IIIII", 0, 0, 0, uid, inode)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def test_a_whole_answer_names_the_user():
    assert uid_in(kernel_says(), CLIENT, SERVER) == 7


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        kernel_says()[:-1],
        kernel_says(kind=2),
        kernel_says(state=10),
        kernel_says(state=6, uid=0, inode=0),
        kernel_says(inode=0),
        kernel_says(client=SERVER, server=CLIENT),
        kernel_says(client=(CLIENT[0], 40001)),
        kernel_says(family=socket.AF_INET6),
    ],
)
def test_an_answer_about_anything_else_names_nobody(answer):
    assert uid_in(answer, CLIENT, SERVER) is None


@pytest.mark.parametrize(
    ("same_user", "within", "can_tell", "expected"),
    [
        (True, True, True, True),
        (False, True, True, False),
        (None, True, True, False),
        (None, True, False, True),
        (False, True, False, False),
        (None, False, False, False),
        (None, False, True, False),
        (True, False, True, False),
    ],
)
def test_at_home_is_our_own_user_and_in_doubt_only_where_no_system_could_tell(same_user, within, can_tell, expected):
    assert is_at_home(same_user, within=within, can_tell=can_tell) is expected
