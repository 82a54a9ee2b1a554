import errno
import socket
import ssl
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.net.remote import ok, remote
from thorp.base.clock import SystemClock
from thorp.net.egress import Origin
from thorp.net.outward_errors import (
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
    OutwardUnreachableError,
    Reason,
)
from thorp.net.outward_line import LARGEST_HEAD, Dialer, Line, stopped, unreachable, untrusted

ORIGIN = Origin("http", "a.example", 80)


@contextmanager
def pair(idle_timeout=5.0):
    near, far = socket.socketpair()
    line = Line(near, ORIGIN, idle_timeout, SystemClock())
    line.begin(None)
    try:
        yield line, far
    finally:
        line.close()
        far.close()


def test_bytes_go_out_and_come_in():
    with pair() as (line, far):
        line.sendall(b"hello")
        assert far.recv(10) == b"hello"
        assert not line.answered
        far.sendall(b"answer\nrest")
        assert line.makefile("rb").readline() == b"answer\n"
        assert line.answered
        buffer = memoryview(bytearray(100))
        assert line.take(buffer) == 4


def test_B30_what_is_buffered_is_handed_on_before_anybody_waits():
    with pair(0.05) as (line, far):
        far.sendall(b"head\nabc")
        assert line.buffered.readline() == b"head\n"
        line.end_of_head()
        buffer = memoryview(bytearray(1_000_000))
        assert line.take(buffer) == 3
        with pytest.raises(OutwardStalledError):
            line.take(buffer)
        far.close()
        assert line.take(buffer) == 0


def test_bytes_nobody_asked_for_are_seen_without_waiting():
    with pair() as (line, far):
        assert line.quiet()
        assert not line.leftover()
        far.sendall(b"a\nb")
        assert not line.quiet()
        assert line.ready()
        assert line.buffered.readline() == b"a\n"
        assert line.leftover()


def test_an_end_is_not_quiet():
    with pair() as (line, far):
        far.close()
        assert not line.quiet()


def test_B30_silence_and_a_stop_end_a_read():
    buffer = memoryview(bytearray(10))
    with pair(0.05) as (line, _), pytest.raises(OutwardStalledError):
        line.readinto(buffer)
    stop = threading.Event()
    with pair() as (line, _):
        line.begin(stop)
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(OutwardStoppedError):
            line.readinto(buffer)
        with pytest.raises(OutwardStoppedError):
            line.sendall(b"x")


def send_until_closed(far, data):
    with suppress(OSError):
        far.sendall(data)


def test_B26_a_head_has_an_end_and_a_body_has_none():
    with pair() as (line, far):
        writer = threading.Thread(target=far.sendall, args=(b"x" * (2 * LARGEST_HEAD),))
        writer.start()
        line.end_of_head()
        read = 0
        while read < 2 * LARGEST_HEAD:
            read += line.take(memoryview(bytearray(LARGEST_HEAD)))
        writer.join()
        line.begin(None)
        writer = threading.Thread(target=send_until_closed, args=(far, b"x" * (2 * LARGEST_HEAD)))
        writer.start()
        with pytest.raises(OutwardBadAnswerError, match="headers"):
            line.makefile("rb").readline(2 * LARGEST_HEAD)
        line.close()
        writer.join()


def test_a_reset_is_a_broken_line():
    with pair() as (line, far):
        line.sendall(b"x" * 10)
        far.close()  # with bytes unread: a reset
        with pytest.raises(OutwardUnreachableError) as caught:
            line.readinto(memoryview(bytearray(10)))
    assert caught.value.details["reason"] is Reason.BROKEN


def test_dialling_reaches_the_address_and_not_the_name():
    with remote(lambda asked: ok()) as there:
        origin = Origin("http", "nowhere.invalid", there.port)
        with Dialer(origin, 5, None, SystemClock()).dial("127.0.0.1") as raw:
            assert raw.getpeername() == ("127.0.0.1", there.port)
    with pytest.raises(ConnectionRefusedError):
        Dialer(origin, 5, None, SystemClock()).dial("127.0.0.1")


def test_a_handshake_that_never_comes_ends():
    stop = threading.Event()
    context = ssl.create_default_context()
    for dialer in (Dialer(ORIGIN, 0.05, None, SystemClock()), Dialer(ORIGIN, 60, stop, SystemClock())):
        near, far = socket.socketpair()
        near.settimeout(0.02)
        threading.Timer(0.1, stop.set).start()
        with far, pytest.raises((TimeoutError, OutwardStoppedError)):
            dialer.secure(near, context)
        assert near.fileno() == -1


def test_a_stop_is_looked_at():
    stop = threading.Event()
    stopped(None)
    stopped(stop)
    stop.set()
    with pytest.raises(OutwardStoppedError):
        stopped(stop)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENETUNREACH, "x"), Reason.NO_NETWORK),
        (OSError(errno.ECONNREFUSED, "refused"), Reason.NO_ANSWER),
        (TimeoutError(errno.ETIMEDOUT, "x"), Reason.NO_ANSWER),
    ],
)
def test_no_network_is_told_from_no_answer(error, reason):
    assert unreachable(ORIGIN, error).details["reason"] is reason


def test_B28_other_trouble_with_tls_is_told_too():
    assert "does not speak TLS" in untrusted(ORIGIN, ssl.SSLError(1, "x")).message
