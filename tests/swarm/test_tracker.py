import asyncio
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.bencoded import read
from thorp.swarm.tracker import (
    FORGOTTEN,
    INTERVAL,
    MOST_HOSTS,
    MOST_PEERS,
    MOST_PORTS,
    MOST_ROWS,
    Announce,
    BadAnnounceError,
    Peer,
    Tracker,
    parse_announce,
    tracker_app,
)
from thorp.testing.asgi import Client
from thorp.testing.clock import FakeClock

HASH = bytes(range(236, 256))
OURS = ("192.168.1.2", 7081)
HOUSE = "192.168.1."


def at_home(address: str) -> bool:
    return address.startswith(HOUSE)


def of_this_node(infohash: bytes) -> tuple[Peer, ...] | None:
    return (OURS,) if infohash == HASH else None


def tracker(clock: FakeClock | None = None) -> Tracker:
    return Tracker(clock or FakeClock(), of_this_node)


def query(infohash: bytes = HASH, port: int = 6881, left: int = 1, more: str = "") -> bytes:
    start = f"info_hash={quote_from_bytes(infohash, safe='')}&peer_id=-AR1360-abcdefghijkl"
    return f"{start}&uploaded=0&downloaded=0&left={left}&port={port}&compact=1{more}".encode()


def announce(to: Tracker, last: int, **more: Any) -> dict[bytes, Any]:
    return read(to.announce(query(**more), f"{HOUSE}{last}", at_home))  # a dictionary, as every answer


def peers(answer: dict[bytes, Any]) -> list[Peer]:
    packed = answer[b"peers"]
    return [
        (str(IPv4Address(packed[at : at + 4])), int.from_bytes(packed[at + 4 : at + 6], "big"))
        for at in range(0, len(packed), 6)
    ]


def test_the_first_client_learns_of_this_node() -> None:
    answer = announce(tracker(), 10)

    assert peers(answer) == [OURS]
    assert (answer[b"interval"], answer[b"complete"], answer[b"incomplete"]) == (INTERVAL, 1, 1)


def test_clients_learn_of_each_other_and_not_of_themselves() -> None:
    one = tracker()
    announce(one, 10)

    assert peers(announce(one, 11, port=6882)) == [OURS, (f"{HOUSE}10", 6881)]
    assert peers(announce(one, 10)) == [OURS, (f"{HOUSE}11", 6882)]
    assert peers(announce(one, 10, port=7000)) == [OURS, (f"{HOUSE}11", 6882), (f"{HOUSE}10", 6881)]


def test_two_that_have_everything_are_not_told_of_each_other() -> None:
    one = tracker()
    announce(one, 10, left=0)
    answer = announce(one, 11, left=0)

    assert peers(answer) == [OURS]
    assert (answer[b"complete"], answer[b"incomplete"]) == (3, 0)


def test_who_stops_is_gone_at_once() -> None:
    one = tracker()
    announce(one, 10)
    announce(one, 10, more="&event=stopped")

    assert one.rows == 0
    assert peers(announce(one, 11)) == [OURS]


def test_who_is_not_heard_for_a_while_is_gone() -> None:
    clock = FakeClock()
    one = tracker(clock)
    announce(one, 10)
    clock.advance(FORGOTTEN - 1)
    clock.set_wall(0)
    assert len(peers(announce(one, 11))) == 2
    clock.advance(1)
    assert peers(announce(one, 11)) == [OURS]


def test_who_is_no_longer_admitted_is_told_to_nobody() -> None:
    one = tracker()
    announce(one, 10)

    answer: Any = read(one.announce(query(), f"{HOUSE}11", lambda address: address == f"{HOUSE}11"))
    assert peers(answer) == [OURS]
    assert answer[b"incomplete"] == 1


@pytest.mark.parametrize("address", ["10.0.0.1", "", "127.0.0.1", "::1", f"{HOUSE}x"])
def test_a_stranger_is_refused_and_leaves_nothing(address: str) -> None:
    one = tracker()

    assert list(read(one.announce(query(), address, at_home))) == [b"failure reason"]
    assert one.rows == 0


def test_a_torrent_this_node_does_not_know_is_refused_and_leaves_nothing() -> None:
    one = tracker()

    assert b"does not know that torrent" in announce(one, 10, infohash=bytes(20))[b"failure reason"]
    assert one.rows == 0


def test_D53_nobody_announces_somebody_else() -> None:
    one = tracker()
    announce(one, 10, more="&ip=10.0.0.1&ipv4=10.0.0.1:22&ipv6=%3A%3A1")

    assert peers(announce(one, 11)) == [OURS, (f"{HOUSE}10", 6881)]


def test_one_host_has_few_ports_for_a_torrent_and_the_newest_count() -> None:
    one = tracker()
    for port in range(1, 1000):
        announce(one, 10, port=port)

    assert one.rows == MOST_PORTS
    assert peers(announce(one, 11))[1:] == [(f"{HOUSE}10", port) for port in range(1000 - MOST_PORTS, 1000)]


def test_who_fills_the_table_loses_lines_of_their_own() -> None:
    one = Tracker(FakeClock(), lambda _: ())
    announce(one, 11)
    for number in range(MOST_ROWS + 50):
        announce(one, 10, infohash=number.to_bytes(20, "big"))

    assert one.rows == MOST_ROWS
    assert peers(announce(one, 12)) == [(f"{HOUSE}11", 6881)]
    assert peers(announce(one, 12, infohash=bytes(20))) == []


def test_the_number_of_hosts_is_bounded_until_some_are_forgotten() -> None:
    clock = FakeClock()
    one = Tracker(clock, lambda _: ())
    for number in range(MOST_HOSTS + 10):
        one.announce(query(), str(IPv4Address(number + 1)), lambda _: True)
    assert one.rows == MOST_HOSTS

    clock.advance(FORGOTTEN)
    announce(one, 10)
    assert one.rows == 1


@pytest.mark.parametrize(("wanted", "expected"), [("", 50), ("&numwant=7", 7), ("&numwant=0", 0), ("&numwant=-1", 50)])
def test_a_client_says_how_many_it_wants(wanted: str, expected: int) -> None:
    one = tracker()
    for last in range(10, 110):
        announce(one, last)

    assert len(peers(announce(one, 110, more=wanted))) == expected


def test_an_answer_is_bounded() -> None:
    assert parse_announce(query(more="&numwant=999999")).wanted == MOST_PEERS


def test_an_announce_is_read() -> None:
    assert parse_announce(query(port=1, left=5)) == Announce(HASH, 1, 5)
    assert parse_announce(query(b"%+&= \0aaaaaaaaaaaaaa", more="&event=stopped")).stopped


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        query(b"short"),
        query(bytes(21)),
        query(port=0),
        query(port=65536),
        query(port=-1),
        query(left=-1),
        query(left=10**30),
        query(more="&port=2"),
        query(more="&numwant=x"),
        query(more="&numwant=" + "9" * 1900),
        query(more="&key=" + "x" * 2048),
        b"port=6881&left=0",
        b"info_hash=" + b"a" * 20 + b"&left=0",
        b"info_hash=" + b"a" * 20 + b"&port=1",
        b"info_hash=" + b"a" * 20 + b"&port=1&left=\xb2",
    ],
)
def test_an_announce_that_makes_no_sense_is_refused_and_leaves_nothing(bad: bytes) -> None:
    one = tracker()

    with pytest.raises(BadAnnounceError):
        parse_announce(bad)
    assert list(read(one.announce(bad, f"{HOUSE}10", at_home))) == [b"failure reason"]
    assert one.rows == 0


@given(st.binary(max_size=100) | st.text("&=%0aportlefinfo_hash123", max_size=60).map(str.encode))
def test_whatever_comes_is_answered(bad: bytes) -> None:
    assert isinstance(read(tracker().announce(bad, f"{HOUSE}10", at_home)), dict)


def ask(method: str, target: str, home: str = "127.0.0.") -> tuple[int, dict[bytes, Any], str]:
    app = tracker_app(tracker(), lambda address: address.startswith(home))
    heard = asyncio.run(Client(app).ask(method, target))
    found: Any = read(heard.body)
    return heard.status, found, heard.headers["content-type"]


def test_the_tracker_answers_over_http() -> None:
    assert ask("GET", f"/announce?{query().decode()}") == (
        200,
        {
            b"complete": 1,
            b"incomplete": 1,
            b"interval": INTERVAL,
            b"min interval": 30,
            b"peers": IPv4Address(OURS[0]).packed + OURS[1].to_bytes(2, "big"),
        },
        "text/plain",
    )


@pytest.mark.parametrize(
    ("method", "path", "home", "status"),
    [
        ("POST", "/announce", "127.", 405),
        ("HEAD", "/announce", "127.", 405),
        ("GET", "/scrape", "127.", 404),
        ("GET", "/", "127.", 404),
        ("GET", "/announce", "10.", 403),
        ("GET", "/anything", "10.", 403),
    ],
)
def test_it_answers_nothing_else_and_no_stranger(method: str, path: str, home: str, status: int) -> None:
    found = ask(method, f"{path}?{query().decode()}", home)

    assert found[0] == status
    assert list(found[1]) == [b"failure reason"]


def test_it_speaks_http_only() -> None:
    async def never(*_: object) -> Any:
        raise AssertionError

    asyncio.run(tracker_app(tracker(), at_home)({"type": "websocket"}, never, never))
