"""The client against servers that answer whatever the test says."""

import itertools
import threading

import pytest

from tests.net.remote import Authority, ok, outward, remote, to
from thorp.base.errors import NetworkError
from thorp.net.outward import Token, system_resolver
from thorp.net.outward_errors import (
    EgressRefusedError,
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
    OutwardUnreachableError,
    OutwardUntrustedError,
    Reason,
)

SECRET = "hf_aVerySecretToken"


def text(client, url, method="GET", **options):
    with client.open(method, url, **options) as incoming:
        return incoming.status, incoming.read(1_000_000)


def test_it_asks_plainly_and_reads_the_answer():
    with remote(lambda asked: ok(b"hello", "X-One: a", "x-one: b")) as there, outward(there.origin) as client:
        with client.open("GET", f"{there.origin}/a?b=c", {"Range": "bytes=0-4"}) as incoming:
            buffer = bytearray(10)
            assert incoming.readinto(memoryview(buffer)) == 5
            assert incoming.readinto(memoryview(buffer)) == 0
        assert (incoming.status, incoming.headers["x-one"], incoming.url) == (200, "a, b", f"{there.origin}/a?b=c")
        asked = there.asked[0]
        assert (asked.method, asked.path) == ("GET", "/a?b=c")
        expected = {"host": f"127.0.0.1:{there.port}", "accept-encoding": "identity", "range": "bytes=0-4"}
        assert asked.headers == expected


def test_a_body_and_a_head_request():
    with remote(lambda asked: ok(b"" if asked.method == "HEAD" else b"x")) as there, outward(there.origin) as client:
        assert text(client, there.origin, "POST", body=b"{}") == (200, b"x")
        assert text(client, there.origin, "HEAD") == (200, b"")
        assert [one.headers.get("content-length") for one in there.asked] == ["2", None]


def test_connections_are_used_again_by_one_thread_after_the_other():
    with remote(lambda asked: ok(b"x" * 100_000)) as there, outward(there.origin) as client:
        for _ in range(3):
            assert text(client, there.origin)[0] == 200
        assert {one.connection for one in there.asked} == {1}
        with client.open("GET", there.origin), client.open("GET", there.origin):
            pass
        assert {one.connection for one in there.asked} == {1, 2}


def test_a_stale_connection_is_replaced_once():
    numbers = itertools.count()
    answers = {0: ok(b"one"), 1: b"", 2: ok(b"two")}
    with remote(lambda asked: answers[next(numbers)]) as there, outward(there.origin) as client:
        assert text(client, there.origin) == (200, b"one")
        assert text(client, there.origin) == (200, b"two")
        assert [one.connection for one in there.asked] == [1, 1, 2]


def test_a_post_is_never_sent_twice():
    numbers = itertools.count()
    with remote(lambda asked: b"" if next(numbers) else ok()) as there, outward(there.origin) as client:
        text(client, there.origin)
        with pytest.raises(OutwardUnreachableError):
            text(client, there.origin, "POST", body=b"x")
        assert len(there.asked) == 2


def test_B22_redirects_are_followed_within_loopback_and_counted():
    answers = {"/a": to("/b", 301), "/b": to("c?d", 307), "/c?d": ok(b"end", 'ETag: "x"')}
    with remote(lambda asked: answers[asked.path]) as there, outward(there.origin) as client:
        with client.open("GET", f"{there.origin}/a") as incoming:
            assert incoming.read(10) == b"end"
        assert [hop.status for hop in incoming.hops] == [301, 307, 200]
        assert incoming.url == f"{there.origin}/c?d"
        assert text(client, f"{there.origin}/a", follow=0)[0] == 301


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_post_is_repeated_only_where_the_status_says_so(status):
    with (
        remote(lambda asked: to("/b", status) if asked.path == "/a" else ok()) as there,
        outward(there.origin) as client,
    ):
        text(client, f"{there.origin}/a", "POST", body=b"x")
        assert there.asked[1].method == ("POST" if status in (307, 308) else "GET")


@pytest.mark.parametrize("location", ["/a", "/b"])
def test_B22_a_loop_ends(location):
    answers = {"/a": to(location), "/b": to("/a")}
    with remote(lambda asked: answers[asked.path]) as there, outward(there.origin) as client:
        with pytest.raises(OutwardBadAnswerError, match="circles"):
            text(client, f"{there.origin}/a")
        assert len(there.asked) <= 2


def test_B22_an_endless_chain_ends():
    with remote(lambda asked: to(asked.path + "x")) as there, outward(there.origin) as client:
        with pytest.raises(OutwardBadAnswerError, match="too often"):
            text(client, f"{there.origin}/a")
        assert len(there.asked) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://inside.example/",
        "https://inside.example/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "file:///etc/passwd",
        "ftp://a.example/",
        "http://a@b\\@c/",
    ],
)
def test_B22_a_redirect_to_elsewhere_is_refused_at_its_hop(location):
    table = {"inside.example": ("192.168.1.1",)}
    with remote(lambda asked: to(location)) as there, outward(there.origin, names=table) as client:
        with pytest.raises(EgressRefusedError):
            text(client, f"{there.origin}/a")
        assert there.paths == ["/a"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "https://127.0.0.1:{}/", "http://a.example:{}/"])
def test_B21_data_never_reaches_loopback(url):
    table = {"a.example": ("127.0.0.1",)}
    with remote(lambda asked: ok()) as there, outward("http://127.0.0.1:1", names=table) as client:
        with pytest.raises(EgressRefusedError):
            text(client, url.format(there.port))
        assert there.asked == []


def test_B24_the_checked_address_is_the_one_that_is_connected_to():
    answers = iter([("127.0.0.1",), ("10.0.0.1",)])
    asked_for = []

    def rebinding(host, port):
        asked_for.append(host)
        return next(answers)

    with remote(lambda asked: ok(asked.headers["host"].encode()), host="rebind.example") as there:
        with outward(there.origin) as client:
            client.resolver = rebinding
            assert text(client, there.origin) == (200, f"rebind.example:{there.port}".encode())
            assert asked_for == ["rebind.example"]
        second = iter([("127.0.0.1",), ("169.254.169.254",)])
        with outward(there.origin) as client:
            client.resolver = lambda host, port: next(second)
            text(client, there.origin)
            with pytest.raises(EgressRefusedError):
                text(client, there.origin)  # although a connection to the first address is still open
        assert len(there.asked) == 2


def test_a_second_address_is_tried_when_the_first_does_not_answer():
    with (
        remote(lambda asked: ok(b"x"), address="127.0.0.2", host="two.example") as there,
        outward(there.origin, names={"two.example": ("127.0.0.3", "127.0.0.2")}) as client,
    ):
        assert text(client, there.origin) == (200, b"x")


@pytest.mark.parametrize("host", ["hub.example", "cdn.example"])
def test_B25_a_token_never_leaves_its_origin(host):
    table = {"hub.example": ("127.0.0.1",), "cdn.example": ("127.0.0.2",)}
    address = {"hub.example": "127.0.0.1", "cdn.example": "127.0.0.2"}[host]
    with remote(lambda asked: to(f"{hub.origin}/back"), address=address, host=host) as cdn:
        answers = {"/a": to("/b"), "/b": to(f"{cdn.origin}/c"), "/back": ok(b"end")}
        with (
            remote(lambda asked: answers[asked.path], host="hub.example") as hub,
            outward(hub.origin, names=table) as client,
        ):
            token = Token.for_url(hub.origin, SECRET)
            assert text(client, f"{hub.origin}/a", token=token) == (200, b"end")
            sent = [one.headers.get("authorization") for one in (*hub.asked, *cdn.asked)]
            assert sent == [f"Bearer {SECRET}", f"Bearer {SECRET}", None, None]
            assert text(client, f"{hub.origin}/back", token=Token.for_url(cdn.origin, SECRET)) == (200, b"end")
            assert "authorization" not in hub.asked[-1].headers


def test_B25_a_token_is_not_shown():
    assert SECRET not in repr(Token.for_url("https://a.example", SECRET))
    with outward("http://127.0.0.1:9") as client, pytest.raises(ValueError):
        text(client, "http://127.0.0.1:9/", headers={"Authorization": f"Bearer {SECRET}"})


@pytest.mark.parametrize("secret", ["a\r\nX: y", "ä", "a\x00"])
def test_B25_a_token_cannot_smuggle_headers(secret):
    with remote(lambda asked: ok()) as there, outward(there.origin) as client:
        with pytest.raises(EgressRefusedError):
            text(client, there.origin, token=Token.for_url(there.origin, secret))
        with pytest.raises(EgressRefusedError):
            text(client, there.origin, headers={"X": secret})


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    ],
)
def test_B26_fewer_bytes_than_stated_are_a_broken_line(answer):
    with (
        remote(lambda asked: answer) as there,
        outward(there.origin, idle_timeout=5) as client,
        client.open("GET", there.origin) as incoming,
    ):
        buffer = memoryview(bytearray(100))
        assert incoming.readinto(buffer) == 3
        there.hang_up()
        with pytest.raises(NetworkError, match="broke"):
            incoming.readinto(buffer)


def test_B26_more_bytes_than_stated_never_reach_the_caller():
    poisoned = ok(b"abc") + ok(b"poison")
    with (
        remote(lambda asked: poisoned if asked.path == "/a" else ok(b"clean")) as there,
        outward(there.origin) as client,
    ):
        assert text(client, f"{there.origin}/a") == (200, b"abc")
        assert text(client, f"{there.origin}/b") == (200, b"clean")
        assert [one.connection for one in there.asked] == [1, 2]


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: -3",
        "Content-Length: +3",
        "Content-Length: 3, 3",
        "Content-Length: 0x3",
        "Transfer-Encoding: gzip, chunked",
        "Content-Range: bytes 0-2/3\r\nContent-Range: bytes 0-2/3",
        "Content-Length: 3\r\n folded: yes",
        "no colon at all",
        "X: " + "a" * 70_000,
        "\r\n".join(f"X-{number}: y" for number in range(200)),
        "\r\n".join(f"X-{number}: {'y' * 2000}" for number in range(90)),
    ],
)
def test_B26_a_head_that_lies_or_never_ends_is_refused(head):
    answer = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\nabc".encode()
    with remote(lambda asked: answer) as there, outward(there.origin) as client, pytest.raises(OutwardBadAnswerError):
        text(client, there.origin)


@pytest.mark.parametrize(
    "answer", [b"\x16\x03\x01", b"SSH-2.0-x\r\n", b"HTTP/1.1 99 Low\r\n\r\n", b"HTTP/1.1 700 x\r\n\r\n"]
)
def test_what_is_no_http_is_refused(answer):
    with (
        remote(lambda asked: [answer, b"\r\n" * 10]) as there,
        outward(there.origin) as client,
        pytest.raises(OutwardBadAnswerError),
    ):
        text(client, there.origin)


def test_the_connection_is_closed_where_the_server_says_so():
    with remote(lambda asked: ok(b"abc", "Connection: close")) as there, outward(there.origin) as client:
        assert text(client, there.origin) == (200, b"abc")
        assert text(client, there.origin) == (200, b"abc")
        assert [one.connection for one in there.asked] == [1, 2]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
def test_B27_a_compressed_answer_is_refused(coding):
    with remote(lambda asked: ok(b"abc", f"Content-Encoding: {coding}")) as there, outward(there.origin) as client:
        with pytest.raises(OutwardBadAnswerError, match="compressed"):
            text(client, there.origin, headers={"Range": "bytes=0-2"})
        assert there.asked[0].headers["accept-encoding"] == "identity"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def secure(authority, **wrong):
    return remote(lambda asked: ok(b"x"), host="hub.example", tls=authority.server("hub.example", **wrong))


def test_https_is_spoken_with_the_name_of_the_url(authority):
    with (
        secure(authority) as there,
        outward(there.origin, names={"hub.example": ("127.0.0.1",)}, tls=authority.client()) as client,
    ):
        assert text(client, there.origin) == (200, b"x")
        assert text(client, there.origin) == (200, b"x")
        assert [one.connection for one in there.asked] == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "name", "sentence"),
    [
        ({"days": -1}, "hub.example", "has expired"),
        ({}, "other.example", "for another name"),
        ({}, "127.0.0.1", "for another"),
        ({"self_signed": True}, "hub.example", "self-signed"),
    ],
)
def test_B28_a_certificate_that_proves_nothing_is_refused(authority, wrong, name, sentence):
    table = {"hub.example": ("127.0.0.1",), "other.example": ("127.0.0.1",)}
    with secure(authority, **wrong) as there:
        url = f"https://{name}:{there.port}"
        with (
            outward(url, names=table, tls=authority.client()) as client,
            pytest.raises(OutwardUntrustedError, match=sentence),
        ):
            text(client, url)
        assert there.asked == []


def test_B28_an_unknown_authority_is_refused_by_default(authority):
    with secure(authority) as there:
        with (
            outward(there.origin, names={"hub.example": ("127.0.0.1",)}) as client,
            pytest.raises(OutwardUntrustedError, match="does not know"),
        ):
            text(client, there.origin)
        assert there.asked == []


def test_B28_there_is_no_fallback_to_plain_http():
    with remote(lambda asked: ok(b"x")) as there:
        url = f"https://127.0.0.1:{there.port}"
        with outward(url) as client, pytest.raises(OutwardUntrustedError, match="plain http is not tried"):
            text(client, url)
        assert there.asked == []


def test_B28_the_authorities_of_ssl_cert_file_are_trusted(authority, tmp_path, monkeypatch):
    (tmp_path / "ca.pem").write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with secure(authority) as there, outward(there.origin, names={"hub.example": ("127.0.0.1",)}) as client:
        assert text(client, there.origin) == (200, b"x")


def test_B30_silence_ends_in_a_stall():
    def say_nothing(connection):
        there.closing.wait(10)

    with (
        remote(lambda asked: say_nothing) as there,
        outward(there.origin, idle_timeout=0.3) as client,
        pytest.raises(OutwardStalledError),
    ):
        text(client, there.origin)


def test_B30_a_body_that_stalls_hands_on_what_came():
    def half(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        there.closing.wait(10)

    with (
        remote(lambda asked: half) as there,
        outward(there.origin, idle_timeout=0.3) as client,
        client.open("GET", there.origin) as incoming,
    ):
        buffer = memoryview(bytearray(10))
        assert incoming.readinto(buffer) == 3
        with pytest.raises(OutwardStalledError):
            incoming.readinto(buffer)


def test_B30_a_head_that_trickles_ends_too():
    def trickle(connection):
        for one in itertools.cycle(b"X"):
            connection.sendall(bytes([one]))
            if there.closing.wait(0.02):
                return

    with (
        remote(lambda asked: trickle) as there,
        outward(there.origin, idle_timeout=0.3) as client,
        pytest.raises(OutwardStalledError),
    ):
        text(client, there.origin)


def test_a_stop_ends_a_wait():
    def say_nothing(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        waiting.set()
        there.closing.wait(10)

    stop, waiting = threading.Event(), threading.Event()
    with remote(lambda asked: say_nothing) as there, outward(there.origin) as client:
        with client.open("GET", there.origin, stop=stop) as incoming:
            waiting.wait()
            threading.Timer(0.05, stop.set).start()
            with pytest.raises(OutwardStoppedError):
                incoming.readinto(memoryview(bytearray(10)))
        with pytest.raises(OutwardStoppedError):
            text(client, there.origin, stop=stop)


def test_nobody_there_says_who():
    with remote(lambda asked: ok()) as there:
        pass
    with outward(there.origin) as client, pytest.raises(OutwardUnreachableError, match=str(there.port)) as caught:
        text(client, there.origin)
    assert caught.value.details["reason"] == Reason.NO_ANSWER


def test_an_answer_is_bounded():
    with remote(lambda asked: ok(b"x" * 1001)) as there, outward(there.origin) as client:
        with client.open("GET", there.origin) as incoming, pytest.raises(OutwardBadAnswerError, match="more than 1000"):
            incoming.read(1000)
        with client.open("GET", there.origin) as incoming:
            assert len(incoming.read(1001)) == 1001


def test_many_bytes_come_whole():
    body = bytes(range(256)) * 40_000
    with remote(lambda asked: ok(body)) as there, outward(there.origin) as client:
        with client.open("GET", there.origin) as incoming:
            got, buffer = bytearray(), memoryview(bytearray(8 * 1024 * 1024))
            while count := incoming.readinto(buffer):
                got += buffer[:count]
        assert bytes(got) == body


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.9:9")
    with remote(lambda asked: ok(b"x")) as there, outward(there.origin) as client:
        assert text(client, there.origin) == (200, b"x")


def test_the_system_resolves_loopback_and_says_what_it_does_not_know():
    assert "127.0.0.1" in system_resolver("localhost", 80)
    assert system_resolver("127.0.0.1", 80) == ("127.0.0.1",)
    with pytest.raises(EgressRefusedError):
        system_resolver("a" * 64 + ".example", 80)
