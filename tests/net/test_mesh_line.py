"""The pinned line against real TLS servers on loopback that answer whatever the test says."""

import asyncio
import contextlib
import itertools
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest

from tests.net.conftest import listening
from tests.net.remote import SECONDS_UNTIL_A_TEST_HANGS, Authority, ok, remote, to
from thorp.base.clock import SystemClock
from thorp.base.errors import IntegrityError, NetworkError
from thorp.identity.keys import NodeKey
from thorp.net.mesh_line import (
    IDLE_TIMEOUT,
    ExactBytes,
    NeighbourSlowError,
    NotGivenError,
    NotThisNodeError,
    Target,
    open_line,
)
from thorp.net.mesh_tls import mesh_server_context, node_certificate
from thorp.net.outward_errors import (
    EgressRefusedError,
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
    OutwardUnreachableError,
    OutwardUntrustedError,
)
from thorp.testing.clock import FakeClock

SEED, OTHER = bytes(range(32)), bytes(32)
NODE, STRANGER = NodeKey(SEED).node_id, NodeKey(OTHER).node_id
TOKEN = "aVerySecretToken"


def server(seed=SEED):
    return mesh_server_context(node_certificate(seed))


def target(port, *expected):
    return Target("127.0.0.1", port, frozenset(expected or {NODE}))


@contextmanager
def line_to(answer, **options):
    """A neighbour that answers so, and a line to it."""
    with remote(answer, tls=server()) as there, open_line(target(there.port), clock=SystemClock(), **options) as line:
        yield line, there


def ask(line, path="/mesh/v1/models", **options):
    return line.ask("GET", path, **{"largest": 100_000, "seconds": 20, **options})


def read(line, first, end, stop=None):
    return line.read("/f", token=TOKEN, first=first, end=end, stop=stop)


def part(first, end, total, body=None, *headers):
    content = b"x" * (end - first) if body is None else body
    return ok(content, f"Content-Range: bytes {first}-{end - 1}/{total}", *headers, status="206 Partial Content")


def whole(given):
    read, buffer = b"", memoryview(bytearray(1000))
    while count := given.readinto(buffer):
        read += buffer[:count]
    return read


class Overheard:
    """A TLS server that says nothing and keeps every byte that comes after the handshake."""

    def __init__(self, context):
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.came = b""
        self.shaken = False
        self._thread = threading.Thread(target=self._listen)

    def _listen(self):
        connection, _ = self._listening.accept()
        connection.settimeout(SECONDS_UNTIL_A_TEST_HANGS)
        with connection, contextlib.suppress(OSError):
            wrapped = self._context.wrap_socket(connection, server_side=True)
            self.shaken = True
            with wrapped:
                while more := wrapped.recv(65536):
                    self.came += more

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()
        self._listening.close()


def test_it_asks_plainly_and_knows_who_answers():
    with line_to(lambda asked: ok(b"hello", "ETag: abc")) as (line, there):
        reply = ask(line, token=TOKEN, if_none_match='"x"')
        assert (reply.status, reply.headers["etag"], reply.body, line.node) == (200, "abc", b"hello", NODE)
        assert there.asked[0].headers == {
            "host": f"127.0.0.1:{there.port}",
            "accept-encoding": "identity",
            "authorization": f"Bearer {TOKEN}",
            "if-none-match": '"x"',
        }


def test_a_body_goes_along_however_long_it_is():
    with line_to(lambda asked: ok(asked.headers["content-length"].encode())) as (line, there):
        for body in (b"", b"{}", b"x" * 100_000):
            assert line.ask("POST", "/", body=body, largest=100, seconds=20).body == b"%d" % len(body)
        assert line.ask("POST", "/", largest=100, seconds=20).body == b"0"
        assert [one.headers.get("content-type") for one in there.asked] == ["application/json"] * 3 + [None]


def test_one_line_serves_many_questions():
    with line_to(lambda asked: part(0, 100, 100) if "range" in asked.headers else ok(b"x")) as (line, there):
        for _ in range(3):
            assert ask(line).status == 200
            with read(line, 0, 100) as given:
                assert whole(given) == b"x" * 100
        assert line.usable
        assert {one.connection for one in there.asked} == {1}


@pytest.mark.parametrize("status", [304, 401, 404, 429, 503])
def test_every_answer_of_a_node_is_an_answer(status):
    with line_to(lambda asked: ok(b"", status=f"{status} X")) as (line, _):
        assert ask(line).status == status
        assert line.usable


def test_a_server_with_another_key_receives_not_one_byte_of_a_request():
    def talk(port):
        with open_line(target(port), clock=SystemClock()) as line:
            ask(line, token=TOKEN)

    with Overheard(server(OTHER)) as there, pytest.raises(NotThisNodeError, match="Nothing was sent") as caught:
        talk(there.port)
    assert (there.shaken, there.came) == (True, b"")
    assert isinstance(caught.value, IntegrityError)
    assert STRANGER in caught.value.message


def test_the_same_server_hears_a_request_when_it_is_who_is_meant():
    with Overheard(server(OTHER)) as there:
        line = open_line(target(there.port, NODE, STRANGER), clock=SystemClock())
        assert line.node == STRANGER
        with line, pytest.raises(NeighbourSlowError):
            ask(line, token=TOKEN, seconds=0.3)
    assert TOKEN.encode() in there.came


def test_nobody_is_expected_where_nobody_is_named():
    with Overheard(server()) as there, pytest.raises(NotThisNodeError):
        open_line(Target("127.0.0.1", there.port, frozenset()), clock=SystemClock())
    assert there.came == b""


def test_a_certificate_that_is_not_a_nodes_is_nobodys(tmp_path):
    with Overheard(Authority(tmp_path).server("a.example")) as there, pytest.raises(NotThisNodeError):
        open_line(target(there.port), clock=SystemClock())
    assert (there.shaken, there.came) == (True, b"")


def test_a_server_that_speaks_tls_1_2_alone_is_refused(tmp_path):
    context = Authority(tmp_path).server("a.example")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Overheard(context) as there, pytest.raises(OutwardUntrustedError):
        open_line(target(there.port), clock=SystemClock())
    assert (there.shaken, there.came) == (False, b"")


def test_plain_http_and_silence_are_no_node():
    with remote(lambda asked: ok()) as there, pytest.raises(OutwardUntrustedError):
        open_line(target(there.port), clock=SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutwardUnreachableError):
        open_line(target(silent.getsockname()[1]), clock=SystemClock(), timeout=0.3)


def test_nobody_there_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(OutwardUnreachableError):
        open_line(target(port), clock=SystemClock())


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("localhost", 7080),
        ("attic.local", 7080),
        ("", 7080),
        ("0.0.0.0", 7080),
        ("224.0.0.1", 7080),
        ("fe80::1%lo", 7080),
        ("127.0.0.1", 0),
        ("127.0.0.1", 65_536),
    ],
)
def test_what_is_no_place_for_a_node_is_not_connected_to(address, port):
    with pytest.raises(EgressRefusedError):
        open_line(Target(address, port, frozenset({NODE})), clock=SystemClock())


def test_a_stop_ends_a_handshake_and_an_answer():
    stop = threading.Event()
    stop.set()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutwardStoppedError):
        open_line(target(silent.getsockname()[1]), clock=SystemClock(), stop=stop)
    later = threading.Event()
    with Overheard(server()) as there, open_line(target(there.port), clock=SystemClock()) as line:
        threading.Timer(0.1, later.set).start()
        with pytest.raises(OutwardStoppedError):
            ask(line, stop=later)
        assert not line.usable


def endless(*head):
    def pouring(connection):
        connection.sendall("\r\n".join(["HTTP/1.1 200 OK", *head, "", ""]).encode())
        while True:
            connection.sendall(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")

    return pouring


def drip(head, piece=b"x"):
    """One byte after the other, until the other side has enough."""

    def dripping(connection):
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return
            connection.sendall(piece)

    return dripping


def test_an_endless_answer_is_read_to_its_limit():
    with line_to(lambda asked: endless("Transfer-Encoding: chunked")) as (line, _):
        with pytest.raises(OutwardBadAnswerError, match="more than 100000 bytes"):
            ask(line)
        assert not line.usable


def test_an_answer_that_says_it_is_too_large_is_not_begun():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"
    with line_to(lambda asked: head) as (line, _), pytest.raises(OutwardBadAnswerError, match="more than 100000"):
        ask(line)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        (b"HT", b""),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "head", "silence", "continue"],
)
def test_a_slow_drip_has_the_time_it_was_given_and_no_more(head, piece):
    with line_to(lambda asked: drip(head, piece)) as (line, _):
        with pytest.raises(NeighbourSlowError):
            ask(line, seconds=0.4)
        assert not line.usable


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"\x1f\x8b", "Content-Encoding: gzip"),
        ok(b"x", "Content-Encoding: identity, br"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        to("https://127.0.0.1:1/"),
        to("/mesh/v1/other", 307),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"SSH-2.0-x\r\n\r\n",
    ],
    ids=["gzip", "br", "coding", "redirect", "redirect here", "no length", "two lengths", "no http"],
)
def test_E73_what_a_node_would_not_say_is_refused_and_the_line_is_closed(answer):
    with line_to(lambda asked: answer) as (line, there):
        with pytest.raises(OutwardBadAnswerError):
            ask(line)
        assert not line.usable
        with pytest.raises(OutwardUnreachableError):
            ask(line)
        assert len(there.asked) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf"])
def test_an_answer_that_breaks_off_is_no_answer(answer):
    with line_to(lambda asked: answer) as (line, _), pytest.raises(OutwardUnreachableError):
        ask(line)


def test_what_nobody_asked_for_ends_the_line():
    with line_to(lambda asked: ok(b"x") + ok(b"smuggled")) as (line, _):
        assert ask(line).body == b"x"
        assert not line.usable


@pytest.mark.parametrize("path", ["mesh", "/a b", "/a\r\nX: y", "/ä", "/" + "x" * 2000])
def test_a_path_that_no_line_of_http_can_carry_is_not_sent(path):
    with line_to(lambda asked: ok()) as (line, there):
        with pytest.raises(EgressRefusedError):
            ask(line, path)
        assert there.asked == []


@pytest.mark.parametrize("token", ["a\r\nX: y", "ä", "\0"])
def test_a_token_that_no_header_can_carry_is_not_sent(token):
    with line_to(lambda asked: ok()) as (line, there):
        with pytest.raises(EgressRefusedError) as caught:
            ask(line, token=token)
        assert there.asked == []
        assert token not in caught.value.message


@pytest.mark.parametrize(("first", "end", "total"), [(0, 10, 10), (0, 10, 99), (5, 5000, 5000), (98, 99, 99)])
def test_a_range_is_asked_for_and_read(first, end, total):
    content = bytes(number % 251 for number in range(end - first))
    with line_to(lambda asked: part(first, end, total, content)) as (line, there):
        with line.read("/mesh/v1/files/x", token=TOKEN, first=first, end=end) as given:
            assert whole(given) == content
        assert there.asked[0].headers["range"] == f"bytes={first}-{end - 1}"
        assert there.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_whole_file_may_come_without_a_range():
    with line_to(lambda asked: ok(b"0123456789")) as (line, _), read(line, 0, 10) as given:
        assert whole(given) == b"0123456789"


def test_a_range_may_come_in_chunks():
    head = b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-3/4\r\nTransfer-Encoding: chunked\r\n\r\n"
    with line_to(lambda asked: head + b"4\r\nabcd\r\n0\r\n\r\n") as (line, _), read(line, 0, 4) as given:
        assert whole(given) == b"abcd"


@pytest.mark.parametrize(
    "answer",
    [
        part(0, 10, 100),
        part(10, 21, 100),
        part(10, 20, 15),
        part(10, 20, 100, b"x" * 11),
        part(10, 20, 100, None, "Content-Range: bytes 10-19/100"),
        ok(b"x" * 10, status="206 Partial Content"),
        ok(b"x" * 10, "Content-Range: bytes 10-19/*", status="206 Partial Content"),
        ok(b"x" * 10, "Content-Range: bytes */100", status="206 Partial Content"),
        ok(b"x" * 10),
        ok(b"x" * 20),
        part(10, 20, 100, None, "Content-Encoding: gzip"),
        to("/elsewhere"),
    ],
)
def test_E73_a_lying_range_is_refused_before_its_first_byte(answer):
    with line_to(lambda asked: answer) as (line, _):
        with pytest.raises(OutwardBadAnswerError), read(line, 10, 20):
            raise AssertionError
        assert not line.usable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\nConnection: close\r\n\r\nfew",
        b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfew\r\n0\r\n\r\n",
    ],
)
def test_fewer_bytes_than_promised_are_a_broken_line(answer):
    with line_to(lambda asked: answer) as (line, _):
        with pytest.raises(OutwardUnreachableError), read(line, 0, 10) as given:
            whole(given)
        assert not line.usable


def test_more_bytes_than_promised_are_not_read():
    head = b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-3/4\r\nTransfer-Encoding: chunked\r\n\r\n"
    with line_to(lambda asked: head + b"8\r\nabcdefgh\r\n0\r\n\r\n") as (line, _):
        with read(line, 0, 4) as given:
            assert whole(given) == b"abcd"
        assert not line.usable


@pytest.mark.parametrize("status", [400, 401, 404, 416, 503])
def test_who_does_not_give_says_so(status):
    with line_to(lambda asked: ok(b"no", status=f"{status} X")) as (line, _):
        with pytest.raises(NotGivenError) as caught, read(line, 0, 4):
            raise AssertionError
        assert caught.value.answered == status


@pytest.mark.parametrize(("first", "end"), [(0, 0), (5, 5), (6, 5), (-1, 5)])
def test_an_empty_range_cannot_be_asked_for(first, end):
    with line_to(lambda asked: ok()) as (line, there):
        with pytest.raises(ValueError), read(line, first, end):
            raise AssertionError
        assert there.asked == []


def test_who_leaves_in_the_middle_closes_the_line():
    with line_to(lambda asked: part(0, 10**6, 10**6)) as (line, _):
        with read(line, 0, 10**6) as given:
            given.readinto(memoryview(bytearray(10)))
        assert not line.usable


def test_a_stop_ends_a_range():
    stop = threading.Event()
    head = b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-99999/100000\r\nContent-Length: 100000\r\n\r\n"
    with line_to(lambda asked: drip(head)) as (line, _):
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(OutwardStoppedError), read(line, 0, 100_000, stop) as given:
            whole(given)


class Slowly:
    """An answer whose every piece takes its time on the clock."""

    def __init__(self, clock, sizes, seconds):
        self._clock, self._sizes, self._seconds = clock, iter(sizes), seconds
        self.hops = (target(7080),)

    def readinto(self, buffer):
        self._clock.advance(self._seconds)
        return next(self._sizes)


def test_bytes_that_drip_in_are_given_up_on_after_a_quick_start_too():
    clock = FakeClock()
    pieces = itertools.chain([10**6], itertools.repeat(1))
    given = ExactBytes(Slowly(clock, pieces, IDLE_TIMEOUT / 5), 10**7, clock)
    begun = clock.monotonic()
    with pytest.raises(OutwardStalledError):
        whole(given)
    assert clock.monotonic() - begun <= 2 * IDLE_TIMEOUT


def test_who_takes_the_bytes_may_be_slow():
    clock = FakeClock()
    given = ExactBytes(Slowly(clock, itertools.repeat(1), 0.0), 100, clock)
    while given.readinto(memoryview(bytearray(1))):
        clock.advance(IDLE_TIMEOUT)
    assert given.left == 0


def test_the_mesh_listener_of_a_node_answers_over_it():
    async def asking():
        async with listening(tls=server(), kind="mesh") as place:

            def talk():
                with open_line(target(place.listener.port), clock=SystemClock()) as line:
                    return [ask(line, "/facts").body for _ in range(2)], line.ask(
                        "POST", "/echo", body=b"{}", largest=10_000, seconds=20
                    )

            facts, echo = await asyncio.to_thread(talk)
            assert b'"kind":"mesh","tls":true' in facts[1]
            assert b'"body":2' in echo.body

    asyncio.run(asking())


def test_failures_of_the_line_are_failures_of_the_network():
    assert issubclass(NeighbourSlowError, NetworkError)
    assert issubclass(NotGivenError, NetworkError)
