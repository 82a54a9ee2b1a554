import socket
import threading

import pytest

from thorp.testing.hub.line import EndedError, Line
from thorp.testing.hub.request import Host
from thorp.testing.hub.server import Listener, listening
from thorp.testing.process import free_port


def test_one_port_holds_both_families() -> None:
    sockets = listening(0, both=True)
    assert len({one.getsockname()[1] for one in sockets}) == 1
    assert sockets[0].getsockname()[0] == "127.0.0.1"
    for one in sockets:
        one.close()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listening(taken.getsockname()[1], both=False)


def test_stopping_ends_every_connection_and_frees_the_port() -> None:
    begun, ended = threading.Semaphore(0), threading.Semaphore(0)

    def serve(line: Line) -> None:
        begun.release()
        try:
            line.read(Host.HUB)
        except EndedError:
            ended.release()
            raise

    port = free_port()
    listener = Listener(port, serve)
    for _ in range(2):
        listener.start()
        clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(3)]
        assert all(begun.acquire(timeout=60) for _ in clients)
        listener.stop()
        assert all(ended.acquire(blocking=False) for _ in clients)
        for client in clients:
            assert client.recv(1) == b""
            client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=60)


def test_a_client_that_vanishes_harms_nobody() -> None:
    def serve(_: Line) -> None:
        raise BrokenPipeError

    listener = Listener(0, serve)
    listener.start()
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", listener.port), timeout=60) as client:
            assert client.recv(1) == b""
    listener.stop()
