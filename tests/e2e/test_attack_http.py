"""Attacks 10, 13 and 15: bytes that are no proper request, requests that take for ever, and too many at once."""

import re
import resource
import select
import socket
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.attack_house import House, house
from tests.e2e.attack_wire import JSON, Line, Place, as_json, ask, bearer, many, written
from thorp.net.hygiene import HttpLimits
from thorp.testing.process import until
from thorp.web.routes import EVERY_ROUTE

LIMITS = HttpLimits()
PLACES = ("local", "socket", "exposed")
MEGABYTE = 1024 * 1024
STATUS = re.compile(rb"^HTTP/1\.1 (\d{3})", re.MULTILINE)
HIDDEN = as_json({"name": "smuggled", "scopes": ["inference"]})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("http")) as opened:
        opened.expose()
        yield opened


@pytest.fixture
def unmoved(home: House) -> Generator[House]:
    home.master(home.places["exposed"])
    before = home.state()
    yield home
    assert home.state() == before


def smuggled(home: House, place: Place) -> bytes:
    """A second request that would make a key if anybody read it as one."""
    return written("POST", "/api/v1/keys", (*home.master(place), JSON), HIDDEN, place.authority)


# Requests that two readers could understand differently. `{host}` and `{key}` are right; `@` is where more follows.
AMBIGUOUS = {
    "two Hosts": "GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n",
    "two different Hosts": "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "no Host in HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
    "absolute form": "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "absolute form of another host": "GET http://{host}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a target without slash": "GET healthz HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "an asterisk": "OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "two keys": "GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nAuthorization: Bearer {key}\r\n\r\n",
    "two x-api-keys": "GET / HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\nx-api-key: {key}\r\n\r\n",
    "two cookies": "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: a=b\r\nCookie: thorp_session={key}\r\n\r\n",
    "two Origins": "GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: http://evil.example\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "the same length twice": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0, 0\r\n\r\n",
    "a signed length": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: +0\r\n\r\n",
    "a hexadecimal length": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0x0\r\n\r\n",
    "an endless length": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "both lengths": (
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "both lengths the other way": (
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    ),
    "two codings": "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding twice": (
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a coding in HTTP/1.0": "POST / HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n c\r\n\r\n",
    "a folded first header": "GET / HTTP/1.1\r\n Host: {host}\r\n\r\n",
    "a space before the colon": "GET / HTTP/1.1\r\nHost : {host}\r\n\r\n",
    "a name of control characters": "GET / HTTP/1.1\r\nHost: {host}\r\nX\x00A: b\r\n\r\n",
    "NUL in a value": "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\x00c\r\n\r\n",
    "a lone CR in a value": "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\rAuthorization: Bearer {key}\r\n\r\n",
    "a lone LF": "GET / HTTP/1.1\nHost: {host}\n\n",
    "a negative chunk": "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "an endless chunk": (
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n"
    ),
    "HTTP/0.9": "GET /\r\n\r\n",
    "HTTP/1.2": "GET / HTTP/1.2\r\nHost: {host}\r\n\r\n",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "h2c": "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    "a tunnel": "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a tab between the words": "GET\t/\tHTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no version": "GET / \r\nHost: {host}\r\n\r\n",
    "a fragment": "GET /#x HTTP/1.1\r\nHost: {host}\r\n\r\n",
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("why", AMBIGUOUS)
def test_A10_what_two_readers_could_read_differently_ends_the_connection(home: House, name: str, why: str) -> None:
    place = home.places[name]
    key = home.master(place)[0][1].removeprefix("Bearer ")
    keys = len(home.owner("GET", "/api/v1/keys").json["keys"])
    with place.dial() as line:
        line.say(AMBIGUOUS[why].format(host=place.authority, key=key).encode("latin-1") + smuggled(home, place))
        answers = line.take() if place.tls else line.rest()  # over TLS the node waits for the peer to close first

    assert all(400 <= int(status) < 600 for status in STATUS.findall(answers))
    assert len(STATUS.findall(answers)) <= 1
    assert len(home.owner("GET", "/api/v1/keys").json["keys"]) == keys


def test_A10_a_get_with_a_body_hides_no_second_request(unmoved: House) -> None:
    inner = smuggled(unmoved, unmoved.tcp)
    answer = ask(unmoved.tcp, "GET", "/healthz", [JSON], inner)

    assert answer.status == 200


READ_ROUTES = sorted({route.path for route in EVERY_ROUTE if route.method == "GET" and "{" not in route.path})


@pytest.mark.parametrize("where", PLACES)
def test_who_asks_for_heads_alone_keeps_the_connection_whatever_the_route(home: House, where: str) -> None:
    """A stream has no end, and nobody would notice that its listener gets nothing."""
    place = home.places[where]
    with place.dial() as line:
        streams = 0
        for path in READ_ROUTES:
            answer = line.ask("HEAD", path, home.master(place))
            assert answer.status in {200, 400, 403, 404}, path  # 400: it wants a query
            assert answer.get("connection") is None
            streams += answer.streams
        assert streams == 2
        assert line.ask("GET", "/healthz").json == {"ok": True}


@pytest.mark.parametrize("name", PLACES)
def test_a_mebibyte_of_headers_is_refused_and_costs_nothing(unmoved: House, name: str) -> None:
    shapes = (
        [("X-Long", "a" * MEGABYTE)],
        [(f"X-{number}", "a" * 100) for number in range(10_000)],
        [("X-Same", "a" * 8_000)] * 128,
        [("Cookie", "; ".join(f"thorp_session={number}" for number in range(60_000)))],
        [("A" * MEGABYTE, "b")],
    )
    before = unmoved.resident()
    for headers in shapes:
        with unmoved.places[name].dial() as line:
            line.say(written("GET", "/healthz", headers, None, line.place.authority))
            assert line.hear().status == 431
            assert line.place.tls or line.rest() == b""
    assert unmoved.resident() - before < 8 * MEGABYTE


def test_an_address_of_a_mebibyte_is_refused(unmoved: House) -> None:
    with unmoved.tcp.dial() as line:
        line.say(written("GET", "/" + "a" * MEGABYTE, (), None, line.place.authority))
        assert line.hear().status == 414


def slow_lines(home: House, stack: ExitStack) -> dict[str, list[Line]]:
    """Every way to be slow, forty times each, on every listener."""
    found: dict[str, list[Line]] = {"head": [], "body": [], "stream": [], "handshake": []}
    for place in home.places.values():
        reading = bearer(home.key("node:read"))
        for kind in ("head", "body", "stream"):
            lines = stack.enter_context(many(place, 10))
            for line in lines:
                begun = written("POST", "/api/v1/claim", [JSON, ("Content-Length", "99")], None, place.authority)
                match kind:
                    case "head":
                        line.say(begun[:40])
                    case "body":
                        line.say(begun + b"{")
                    case _:
                        line.say(written("GET", "/api/v1/stream", [reading], None, place.authority))
            found[kind] += lines
    assert home.exposed
    found["handshake"] = stack.enter_context(many(Place(port=home.exposed.port), 20))
    return found


def is_over(line: Line) -> bool:
    """Whether the node has ended this connection."""
    if not select.select([line.socket], [], [], 0)[0]:
        return False
    try:
        return not line.socket.recv(65536)
    except ConnectionError:
        return True


def test_A13_slow_and_silent_clients_hinder_nobody_and_are_let_go(home: House) -> None:
    with ExitStack() as stack:
        slow = slow_lines(home, stack)
        for _ in range(20):
            for place in home.places.values():
                assert ask(place, "GET", "/healthz").status == 200
        until(lambda: all(map(is_over, slow["handshake"])), "stalled handshakes are cut")
        dripping = slow["head"]
        for line in dripping:
            line.say(b"x")  # something came, but time goes on
        until(lambda: all(map(is_over, dripping)), "headers that never end are cut")
        assert ask(home.tcp, "GET", "/healthz").status == 200
        assert not any(map(is_over, slow["stream"]))  # a listener with nothing to hear is no attacker


def test_A15_more_connections_than_fit_are_refused_politely_and_nobody_inside_notices(home: House) -> None:
    inside = home.tcp.dial()
    assert inside.ask("GET", "/healthz").status == 200
    with inside, many(home.tcp, LIMITS.connections + 30) as crowd:
        refused = [line for line in crowd if select.select([line.socket], [], [], 0.0)[0]]
        refused += [line for line in crowd[-30:] if line not in refused]
        for line in refused:
            answer = line.hear()
            assert (answer.status, answer.code) == (503, "net.too_many_connections")
            assert int(answer.get("retry-after") or 0) >= 1
            assert line.rest() == b""
        assert len(refused) >= 30
        assert inside.ask("GET", "/healthz").status == 200
        assert ask(home.unix, "GET", "/api/v1/status").status == 200  # the owner has a door of their own
    until(lambda: answers(home.tcp), "there is room again")


def answers(place: Place) -> bool:
    try:
        return ask(place, "GET", "/healthz").status == 200
    except (OSError, ValueError):
        return False


def test_A15_a_node_without_file_handles_lives_on(tmp_path: Path) -> None:
    """The cap is never reached here: the system has nothing left to give before."""
    with house(tmp_path) as home:
        limit = 96
        resource.prlimit(home.node.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        inside = home.tcp.dial()
        with inside, ExitStack() as stack:
            assert inside.ask("GET", "/healthz").status == 200
            for _ in range(2 * limit):
                stack.enter_context(socket.create_connection(("127.0.0.1", home.tcp.port)))
            for _ in range(10):
                assert inside.ask("GET", "/healthz").status == 200
        until(lambda: answers(home.tcp), "there are handles again")
        assert home.owner("POST", "/api/v1/keys", {"name": "after"}).status == 201
