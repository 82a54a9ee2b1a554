import socket
from contextlib import ExitStack

import pytest

from thorp.net.egress import Origin
from thorp.net.outward_line import Line, PinnedConnection
from thorp.net.outward_pool import LONGEST_IDLE, MOST, MOST_FOR_ONE, Pool
from thorp.testing.clock import FakeClock

A, B = Origin("https", "a.example", 443), Origin("http", "a.example", 80)


@pytest.fixture
def stack():
    with ExitStack() as one:
        yield one


@pytest.fixture
def connect(stack):
    def connecting(origin=A, address="127.0.0.1"):
        near, far = socket.socketpair()
        stack.callback(far.close)
        connection = PinnedConnection(origin, address, Line(near, origin, 5, FakeClock()))
        stack.callback(connection.hang_up)
        connection.far = far
        return connection

    return connecting


def test_a_connection_is_found_again_by_origin_and_address(connect):
    pool = Pool(FakeClock())
    one, two = connect(), connect(address="127.0.0.2")
    pool.give(one)
    pool.give(two)
    assert pool.take(B, ("127.0.0.1",)) is None
    assert pool.take(A, ("127.0.0.9",)) is None
    assert pool.take(A, ("127.0.0.9", "127.0.0.1")) is one
    assert pool.take(A, ("127.0.0.1",)) is None
    assert pool.take(A, ("127.0.0.2",)) is two


def test_B26_one_that_ended_or_spoke_is_not_used(connect):
    pool = Pool(FakeClock())
    ended, spoke = connect(), connect()
    ended.far.close()
    spoke.far.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    pool.give(ended)
    pool.give(spoke)
    assert pool.take(A, ("127.0.0.1",)) is None
    assert ended.line.closed
    assert spoke.line.closed


def test_one_that_waited_long_is_not_used(connect):
    clock = FakeClock()
    pool = Pool(clock)
    one = connect()
    pool.give(one)
    clock.advance(LONGEST_IDLE)
    assert pool.take(A, ("127.0.0.1",)) is None
    assert one.line.closed


def test_there_are_never_many(connect):
    pool = Pool(FakeClock())
    same = [connect() for _ in range(MOST_FOR_ONE + 2)]
    others = [connect(address=f"127.0.1.{number}") for number in range(MOST)]
    for one in (*same, *others):
        pool.give(one)
    assert sum(not one.line.closed for one in (*same, *others)) == MOST
    assert all(not one.line.closed for one in others)
    pool.close()
    assert all(one.line.closed for one in (*same, *others))
    late = connect()
    pool.give(late)
    assert late.line.closed
