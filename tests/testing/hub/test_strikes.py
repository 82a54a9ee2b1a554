"""What each fault looks like to a client that reads bytes, on a running hub."""

import gzip
import http.client
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from thorp.testing.hub import FakeHub, Fault, FaultKind, Host, On

Ask = Callable[..., Any]
BIG = bytes(range(256)) * 400
SMALL = b"0123456789"


@pytest.fixture(autouse=True)
def repository(hub: FakeHub) -> None:
    hub.add("org/tiny", {"big.gguf": BIG, "small.json": SMALL})


@pytest.mark.parametrize(("path", "data"), [("big.gguf", BIG), ("small.json", SMALL)])
def test_an_answer_is_cut_once_and_then_whole(hub: FakeHub, fetch: Ask, path: str, data: bytes) -> None:
    hub.faults.add(Fault(FaultKind.CUT, after=7))
    got = fetch(path)
    assert (got.status, got.body, got.whole) == (200, data[:7], False)
    assert fetch(path).body == data
    assert hub.fetched(path) == [(0, 7), (0, len(data))]
    assert hub.bytes_sent(path) == 7 + len(data)
    assert [one.faults for one in hub.asked(path) if one.faults] == [("cut",)]


def test_an_answer_is_cut_at_a_place_of_the_file(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.CUT, at=1000))
    assert fetch("big.gguf", Range="bytes=0-999").whole
    assert fetch("big.gguf", Range="bytes=990-2000").body == BIG[990:1000]
    assert hub.faults.left == ()


def test_B30_a_stall_lasts_until_the_client_goes(hub: FakeHub, ask: Ask) -> None:
    hub.faults.add(Fault(FaultKind.STALL, after=5))
    link = urlsplit(ask(f"{hub.url}/org/tiny/resolve/main/big.gguf")["Location"])
    with socket.create_connection(("127.0.0.1", hub.cdn_port), timeout=60) as client:
        client.sendall(f"GET {link.path}?{link.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        seen = b""
        while not seen.endswith(BIG[:5]):
            seen += client.recv(65_536)
        assert hub.fetched("big.gguf") == [(0, 5)]
        assert not hub.log[-1].done


def test_a_stall_may_end(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.STALL, after=5, seconds=0.01))
    assert fetch("big.gguf").body == BIG


def test_a_stall_ends_with_the_hub(ask: Ask) -> None:
    with FakeHub() as hub:
        hub.add("org/tiny", {"big.gguf": BIG})
        hub.faults.add(Fault(FaultKind.STALL, after=5))
        link = urlsplit(ask(f"{hub.url}/org/tiny/resolve/main/big.gguf")["Location"])
        connection = http.client.HTTPConnection("127.0.0.1", hub.cdn_port, timeout=60)
        connection.request("GET", f"{link.path}?{link.query}")
        answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert hub.log[-1].done


def test_a_slow_answer_is_whole_in_the_end(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.SLOW, rate=2_000_000))
    assert fetch("big.gguf").body == BIG


def test_B32_bytes_are_wrong_where_they_shall_be(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, at=500, length=2, times=None))
    wrong = bytearray(BIG)
    wrong[500] ^= 0xFF
    wrong[501] ^= 0xFF
    assert fetch("big.gguf").body == wrong
    assert fetch("big.gguf", Range="bytes=501-600").body == wrong[501:601]
    assert fetch("big.gguf", Range="bytes=502-600").body == BIG[502:601]


def test_wrong_bytes_of_a_file_on_disk(hub: FakeHub, fetch: Ask, tmp_path: Any) -> None:
    (tmp_path / "big").write_bytes(BIG)
    hub.add("org/tiny", {"disk.gguf": tmp_path / "big"})
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, at=50_000))
    assert fetch("disk.gguf").body == BIG[:50_000] + bytes([BIG[50_000] ^ 0xFF]) + BIG[50_001:]


@pytest.mark.parametrize("more", [100, -100])
def test_B26_a_length_that_is_wrong(hub: FakeHub, fetch: Ask, more: int) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_LENGTH, length=more))
    got = fetch("big.gguf")
    assert got["Content-Length"] == str(len(BIG) + more)
    assert (got.body, got.whole) == (BIG[: len(BIG) + more], more < 0)


def test_B32_a_linked_size_that_is_wrong(hub: FakeHub, ask: Ask) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_LENGTH, on=On.RESOLVE, length=3))
    got = ask(f"{hub.url}/org/tiny/resolve/main/big.gguf", "HEAD")
    assert got["X-Linked-Size"] == str(len(BIG) + 3)


def test_B26_more_bytes_than_the_file_has(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.MORE_BYTES, length=3))
    assert fetch("big.gguf").body == BIG + b"\xee" * 3


@pytest.mark.parametrize("how", ["", "close"])
def test_B26_no_length(hub: FakeHub, fetch: Ask, how: str) -> None:
    hub.faults.add(Fault(FaultKind.NO_LENGTH, value=how))
    got = fetch("big.gguf")
    assert (got["Content-Length"], got.body) == (None, BIG)
    assert got["Transfer-Encoding"] == (None if how else "chunked")
    assert hub.fetched("big.gguf") == [(0, len(BIG))]


def test_a_chunked_answer_can_be_cut(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.NO_LENGTH), Fault(FaultKind.CUT, after=9))
    got = fetch("big.gguf")
    assert (got.body, got.whole) == (BIG[:9], False)


@pytest.mark.parametrize(("value", "said"), [("", "bytes 11-20/102400"), ("bytes 0-9/5", "bytes 0-9/5")])
def test_B26_a_range_that_is_wrong(hub: FakeHub, fetch: Ask, value: str, said: str) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_RANGE, value=value))
    assert fetch("big.gguf").status == 200
    got = fetch("big.gguf", Range="bytes=10-19")
    assert (got.status, got["Content-Range"]) == (206, said)


def test_B26_a_range_that_is_ignored(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.IGNORE_RANGE))
    got = fetch("big.gguf", Range="bytes=10-19")
    assert (got.status, got.body) == (200, BIG)
    assert hub.asked("big.gguf")[-1].range == (10, 19)


def test_B26_an_etag_that_changes_in_between(hub: FakeHub, ask: Ask, fetch: Ask) -> None:
    url = f"{hub.url}/org/tiny/resolve/main/big.gguf"
    before, etag = ask(url, "HEAD")["X-Linked-Etag"], fetch("big.gguf")["ETag"]
    hub.faults.add(Fault(FaultKind.CHANGED_ETAG, times=None, skip=1))
    assert ask(url, "HEAD")["X-Linked-Etag"] == before
    assert ask(url, "HEAD")["X-Linked-Etag"] != before
    got = fetch("big.gguf", Range="bytes=5-", If_Range=etag)
    assert (got.status, got["ETag"] == etag) == (200, False)


def test_B27_compressed_although_nobody_asked(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.GZIP))
    got = fetch("big.gguf")
    assert (got["Content-Encoding"], gzip.decompress(got.body)) == ("gzip", BIG)


@pytest.mark.parametrize(
    "path", ["/api/models", "/org/tiny/resolve/main/big.gguf", "/org/tiny/resolve/main/small.json"]
)
def test_B30_too_many_requests(hub: FakeHub, ask: Ask, path: str) -> None:
    hub.faults.add(Fault(FaultKind.RATE_LIMITED, seconds=7), Fault(FaultKind.RATE_LIMITED, value="soon", skip=1))
    assert [(got.status, got["Retry-After"]) for got in (ask(hub.url + path), ask(hub.url + path))] == [
        (429, "7"),
        (429, "soon"),
    ]
    assert ask(hub.url + path).status in (200, 302)


def test_B30_an_error_of_the_server(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.SERVER_ERROR, host=Host.CDN, times=2, status=504, value="1"))
    assert [(got.status, got["Retry-After"]) for got in (fetch("big.gguf"), fetch("big.gguf"))] == [(504, "1")] * 2
    assert fetch("big.gguf").status == 200
    hub.faults.add(Fault(FaultKind.SERVER_ERROR, path="*.json"))
    assert (fetch("small.json").status, hub.log[-1].status) == (503, 503)


def test_B29_a_page_to_log_in(hub: FakeHub, ask: Ask) -> None:
    hub.faults.add(Fault(FaultKind.LOGIN_PAGE, times=None))
    for url in (f"{hub.url}/api/models", f"{hub.url}/org/tiny/resolve/main/big.gguf"):
        got = ask(url)
        assert (got.status, got["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"Log in" in got.body


def test_B22_a_redirect_elsewhere_and_in_a_circle(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/org/tiny/resolve/main/big.gguf"
    hub.faults.add(
        Fault(FaultKind.REDIRECT, value="http://169.254.169.254/x"), Fault(FaultKind.REDIRECT, skip=1, status=301)
    )
    there, circle = ask(url), ask(url)
    assert (there.status, there["Location"]) == (302, "http://169.254.169.254/x")
    assert (circle.status, circle["Location"]) == (301, "/org/tiny/resolve/main/big.gguf")


@pytest.mark.parametrize("reset", [False, True])
def test_no_answer_at_all(hub: FakeHub, ask: Ask, reset: bool) -> None:
    hub.faults.add(Fault(FaultKind.DROP, reset=reset))
    with pytest.raises(ConnectionResetError if reset else http.client.RemoteDisconnected):
        ask(f"{hub.url}/api/models")
    assert json.loads(ask(f"{hub.url}/api/models").body)
    assert [one.status for one in hub.log] == [0, 200]


def test_a_cut_may_be_a_reset(hub: FakeHub, fetch: Ask) -> None:
    hub.faults.add(Fault(FaultKind.CUT, after=0, reset=True))
    with pytest.raises(ConnectionResetError):
        fetch("big.gguf")
