"""Attacks 11 and 12: bodies made to be expensive, of the wrong kind or larger than they look."""

import gzip
import zlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from tests.e2e.attack_house import FORM, FORMS, House, Knock, house, knock
from tests.e2e.attack_wire import JSON, Answer, Header, Line, ask, bearer, many, written
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import OPEN, RawRoute, Route

MEGABYTE = 1024 * 1024
LARGEST = 8 * MEGABYTE
FLAT = 48 * MEGABYTE  # more than any one body costs while it is read; far less than what ten of them would
WRITES = [route for route in EVERY_ROUTE if route.method not in {"GET", "HEAD"} and route.path not in FORMS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("bodies")) as opened:
        yield opened


@pytest.fixture
def unmoved(home: House) -> Generator[House]:
    before, held = home.state(), home.resident()
    yield home
    assert home.state() == before
    assert home.resident() - held < FLAT


def within(members: bytes) -> bytes:
    return b'{"input":{' + members + b"}}"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "depth of 100 000 lists": lambda: b"[" * 100_000 + b"]" * 100_000,
    "depth of 100 000 objects": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "depth without an end": lambda: b"[" * 100_000,
    "the same key twice": lambda: b'{"name":"a","name":"b"}',
    "the same key twice, once escaped": lambda: b'{"name":"a","\\u006eame":"b"}',
    "the same key twice, deep inside": lambda: within(b'"a":[{"b":1,"b":2}]'),
    "NaN": lambda: b'{"rpm":NaN}',
    "Infinity": lambda: b'{"rpm":-Infinity}',
    "a float without end": lambda: b'{"rpm":1e99999}',
    "a whole number of 65 bits": lambda: b'{"rpm":18446744073709551616}',
    "a whole number of a megabyte": lambda: b'{"rpm":' + b"9" * MEGABYTE + b"}",
    "a byte order mark": lambda: b"\xef\xbb\xbf{}",
    "UTF-16": lambda: '{"name":"a"}'.encode("utf-16"),
    "half a surrogate pair": lambda: b'{"name":"\\ud800"}',
    "half a surrogate pair as key": lambda: b'{"\\udfff":1}',
    "broken UTF-8": lambda: b'{"name":"\xff\xfe"}',
    "an overlong slash": lambda: b'{"name":"\xc0\xaf"}',
    "NUL after the end": lambda: b"{}\x00",
    "two documents": lambda: b"{}{}",
    "a comment": lambda: b"{}//",
    "no object": lambda: b"[]",
    "no object but text": lambda: b'"a"',
    "null": lambda: b"null",
    "a million keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(800_000)) + b"}",
    "two hundred thousand keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(199_999)) + b"}",
    "a list of a million": lambda: b'{"scopes":[' + b"0," * 1_000_000 + b"0]}",
    "as large as may be": lambda: b'{"name":"' + b"a" * (LARGEST - 11) + b'"}',
    "spaces as far as may be": lambda: b" " * (LARGEST - 2) + b"{}",
    "escapes as far as may be": lambda: b'{"name":"' + b"\\u0061" * (LARGEST // 6 - 2) + b'"}',
    "quotes as far as may be": lambda: b'"' * LARGEST,
    "a byte more than may be": lambda: b'{"name":"' + b"a" * (LARGEST - 10) + b'"}',
}


def refused(answer: Answer) -> None:
    assert 400 <= answer.status < 500, answer
    assert answer.code, answer
    assert len(answer.body) < 4096


@pytest.mark.parametrize("what", HOSTILE)
def test_A11_hostile_json_is_refused_by_every_route_that_takes_json_and_costs_little(unmoved: House, what: str) -> None:
    body, master = HOSTILE[what](), unmoved.master(unmoved.tcp)
    for route in WRITES:
        one = knock(route)
        refused(ask(unmoved.tcp, one.method, one.path, (*master, JSON), body))


@pytest.mark.parametrize("size", [LARGEST + 1, 16 * LARGEST])
def test_A11_a_body_without_declared_length_is_bounded_too(unmoved: House, size: int) -> None:
    for route in WRITES:
        with unmoved.tcp.dial() as line:
            one = knock(route)
            headers = (*unmoved.master(unmoved.tcp), JSON, ("Transfer-Encoding", "chunked"))
            line.say(written(one.method, one.path, headers, None, line.place.authority))
            line.say(b"".join(chunks(size)))
            refused(line.hear())


def chunks(size: int) -> Iterator[bytes]:
    piece = b" " * MEGABYTE
    for _ in range(size // MEGABYTE):
        yield b"%x\r\n%b\r\n" % (MEGABYTE, piece)
    yield b"1\r\n \r\n0\r\n\r\n"


def open_to_all() -> list[Route]:
    return [route for route in EVERY_ROUTE if isinstance(route, RawRoute) and route.floor == OPEN]


def flooded(home: House, one: Knock, *headers: Header) -> int:
    """By how much the node has grown when thirty clients have sent all but the last byte of the largest body."""
    before, announced = home.resident(), ("Content-Length", str(LARGEST))
    request = written(one.method, one.path, (*headers, announced), b" " * (LARGEST - 1), home.tcp.authority)
    with many(home.tcp, 30) as crowd, ThreadPoolExecutor(30) as hands:
        list(hands.map(Line.say, crowd, repeat(request)))
        return home.resident() - before


def test_A11_a_crowd_of_strangers_cannot_fill_the_memory_with_bodies(unmoved: House) -> None:
    for route in open_to_all():
        assert flooded(unmoved, knock(route), FORM if route.path in FORMS else JSON) < FLAT, route.path


def test_A11_a_crowd_with_a_key_cannot_fill_it_either(unmoved: House) -> None:
    for route in WRITES:
        assert flooded(unmoved, knock(route), *unmoved.master(unmoved.tcp), JSON) < FLAT, route.path


BOMB = b'{"name":"' + b"a" * (256 * MEGABYTE)
PACKED = {
    "gzip": lambda: gzip.compress(BOMB),
    "x-gzip": lambda: gzip.compress(BOMB),
    "deflate": lambda: zlib.compress(BOMB),
    "br": lambda: b"\x5b\xff\xff\xff" * 1000,
    "zstd": lambda: b"\x28\xb5\x2f\xfd" * 1000,
    "identity, gzip": lambda: gzip.compress(BOMB),
    "GZIP": lambda: gzip.compress(BOMB),
    "gzip;q=1": lambda: gzip.compress(BOMB),
}


@pytest.mark.parametrize("coding", PACKED)
def test_A12_a_packed_body_is_refused_and_never_unpacked(unmoved: House, coding: str) -> None:
    body = PACKED[coding]()
    for route in EVERY_ROUTE:
        one = knock(route)
        kind = FORM if route.path in FORMS else JSON
        headers = (*unmoved.master(unmoved.tcp), kind, ("Content-Encoding", coding))
        answer = ask(unmoved.tcp, one.method, one.path, headers, body)
        assert (answer.status, answer.code) == (415, "net.unsupported_body"), one


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "deflate"])
def test_A12_a_packed_transfer_is_refused(unmoved: House, coding: str) -> None:
    for route in WRITES:
        one = knock(route)
        headers = (*unmoved.master(unmoved.tcp), JSON, ("Transfer-Encoding", coding))
        answer = ask(unmoved.tcp, one.method, one.path, headers, b"0\r\n\r\n")
        assert (answer.status, answer.code) == (400, "net.malformed_request"), one


def test_A12_a_body_that_only_calls_itself_unpacked_is_still_no_json(unmoved: House) -> None:
    key = unmoved.owner_token
    headers = (bearer(key), JSON, ("Content-Encoding", "identity"))
    refused(ask(unmoved.tcp, "POST", "/api/v1/keys", headers, gzip.compress(b'{"name":"a"}')))
