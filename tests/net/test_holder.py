import os
import socket
from contextlib import closing

import pytest

from thorp.net.holder import free_port_above, holder_of, is_thorp
from thorp.testing.process import running_node


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_process_that_listens_is_named(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as server:
        port = server.getsockname()[1]
        assert f"(pid {os.getpid()})" in holder_of(port)
    assert holder_of(port) is None


def test_another_node_is_named_as_one(tmp_path):
    with running_node(tmp_path / "home") as node:
        assert holder_of(node.port) == f"another Thorp node (pid {node.process.pid})"


def test_a_node_does_not_take_itself_for_another_one(tmp_path):
    with running_node(tmp_path / "home") as node:
        refused = node.thorp("expose", "--host", "127.0.0.1", "--port", str(node.port), "--plain")
        assert f"is taken by this node itself (pid {node.process.pid})" in refused.stderr


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("/opt/thorp/bin/thorp up", True),
        ("thorp", True),
        ("/usr/bin/python3 /opt/bin/thorp up --port 0", True),
        ("python3.11 -m thorp up", True),
        ("python3 -I -m thorp up", True),
        ("python3 -m http.server", False),
        ("python3 -m http.server thorp", False),
        ("/opt/thorp/bin/redis", False),
        ("python3", False),
        ("", False),
    ],
)
def test_thorp_is_known_by_its_command_line(line, is_one):
    assert is_thorp(line.split(" ")) is is_one


def test_a_connection_does_not_hold_its_port():
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as server,
        socket.create_connection(server.getsockname()) as out,
    ):
        assert holder_of(out.getsockname()[1]) is None


def test_the_next_free_port_can_be_bound():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        free = free_port_above("127.0.0.1", port - 1)
        assert port < free < port + 100
        socket.create_server(("127.0.0.1", free)).close()


def test_an_ipv6_address_has_free_ports_too():
    assert free_port_above("::1", 20_000) > 20_000


def test_an_address_of_another_machine_has_none():
    assert free_port_above("192.0.2.77", 20_000) == 0
