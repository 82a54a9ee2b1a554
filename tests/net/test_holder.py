import os
import socket
from contextlib import closing

import pytest

from thorp.net.holder import free_port_above, holder_of


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_process_that_listens_is_named(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as server:
        port = server.getsockname()[1]
        assert f"(pid {os.getpid()})" in holder_of(port)
    assert holder_of(port) is None


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
