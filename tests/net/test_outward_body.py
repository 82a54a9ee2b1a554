import socket
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.clock import SystemClock
from thorp.net.egress import Origin
from thorp.net.outward_body import Chunked, Counted, UntilClose, body_of
from thorp.net.outward_errors import OutwardBadAnswerError, OutwardUnreachableError
from thorp.net.outward_line import Line


@contextmanager
def line_with(data):
    near, far = socket.socketpair()
    line = Line(near, Origin("http", "a.example", 80), 5, SystemClock())
    try:
        far.sendall(data)
        far.close()
        yield line
    finally:
        line.close()


def whole(body, size=7):
    read, buffer = b"", memoryview(bytearray(size))
    while count := body.readinto(buffer):
        read += buffer[:count]
    return read


def test_B26_a_counted_body_takes_its_bytes_and_leaves_the_rest():
    with line_with(b"abcdefghij") as line:
        body = Counted(line, 4)
        assert whole(body, 3) == b"abcd"
        assert body.done
        assert line.buffered.read1(10) == b"efghij"


def test_B26_a_counted_body_that_ends_early_is_broken():
    with line_with(b"abc") as line:
        body = Counted(line, 4)
        with pytest.raises(OutwardUnreachableError):
            whole(body)
        assert not body.done


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50))
def test_a_chunked_body_comes_together_again(pieces, size):
    data = b"".join(b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\nX: y\r\n\r\nnext"
    with line_with(data) as line:
        body = Chunked(line)
        assert whole(body, size) == b"".join(pieces)
        assert body.done
        assert line.buffered.read1(10) == b"next"


@pytest.mark.parametrize(
    "data",
    [
        b"-1\r\n",
        b"0x5\r\nabcde\r\n0\r\n\r\n",
        b"5 5\r\nabcde\r\n",
        b"\r\n",
        b"5\r\nabcdefg\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"5;" + b"x" * 10_000,
        b"0\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_B26_a_chunked_body_that_lies_is_refused(data):
    with line_with(data[:100_000]) as line, pytest.raises(OutwardBadAnswerError):
        whole(Chunked(line))


@pytest.mark.parametrize("data", [b"", b"5\r\nabc", b"5\r\nabcde", b"5\r\nabcde\r\n", b"0\r\n"])
def test_B26_a_chunked_body_that_ends_early_is_broken(data):
    with line_with(data) as line, pytest.raises((OutwardUnreachableError, OutwardBadAnswerError)):
        whole(Chunked(line))


def test_a_body_without_a_length_ends_with_the_connection():
    with line_with(b"abc") as line:
        body = UntilClose(line)
        assert whole(body) == b"abc"
        assert not body.done


@pytest.mark.parametrize(
    ("method", "status", "headers", "kind"),
    [
        ("GET", 200, {"content-length": "3"}, Counted),
        ("GET", 200, {"transfer-encoding": "Chunked"}, Chunked),
        ("GET", 200, {}, UntilClose),
        ("HEAD", 200, {"content-length": "3"}, Counted),
        ("GET", 204, {}, Counted),
        ("GET", 304, {"content-length": "3"}, Counted),
    ],
)
def test_the_head_says_how_the_body_is_framed(method, status, headers, kind):
    with line_with(b"") as line:
        body = body_of(line, method, status, headers)
        assert type(body) is kind
        if method == "HEAD" or status != 200:
            assert body.done


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "3", "transfer-encoding": "chunked"},
        {"content-length": ""},
        {"content-length": "1" * 19},
        {"content-length": "\u0663"},
        {"transfer-encoding": "gzip"},
        {"transfer-encoding": ""},
    ],
)
def test_B26_a_framing_with_two_meanings_is_refused(headers):
    with line_with(b"") as line, pytest.raises(OutwardBadAnswerError):
        body_of(line, "GET", 200, headers)
