"""The client against real listeners, and against a server that answers whatever the test says."""

import asyncio
import http.client
import re
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress

import orjson
import pytest

from tests.net.conftest import TinyApp, listening
from thorp.base.errors import NotFoundError
from thorp.net.answers import send_refusal
from thorp.net.blocking import (
    LARGEST_EVENT,
    Address,
    BadAddressError,
    BadAnswerError,
    BadKeyError,
    BlockingClient,
    SilentError,
    SseFrame,
    UnreachableError,
    UntrustedError,
    WrongCertificateError,
    parse_address,
)
from thorp.net.listen import UnixListener
from thorp.net.tls import fingerprint_of, make_certificate, server_context

PIN = "ab" * 32


def whole_request(connection):
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    length = re.search(rb"Content-Length: ([0-9]+)", read)
    rest = int(length[1]) - len(read.partition(b"\r\n\r\n")[2]) if length else 0
    while rest:
        piece = connection.recv(rest)
        read, rest = read + piece, rest - len(piece)
    return read


@contextmanager
def answering(*answers):
    """A server that gives each connection its next answer, then closes. Yields its port and what it was asked."""
    asked = []

    def serve(accepting):
        for answer in answers:
            connection, _ = accepting.accept()
            with connection:
                connection.settimeout(10)
                try:
                    asked.append(whole_request(connection))
                    connection.sendall(answer)
                except OSError:
                    continue

    with closing(socket.create_server(("127.0.0.1", 0))) as accepting:
        thread = threading.Thread(target=serve, args=(accepting,))
        thread.start()
        yield accepting.getsockname()[1], asked
        thread.join()


def at(port, **options):
    return BlockingClient(Address("http", "127.0.0.1", port), **options)


def ok(body=b"{}", *headers):
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("http://localhost:8737", Address("http", "localhost", 8737), "http://localhost:8737"),
        ("http://localhost", Address("http", "localhost", 80), "http://localhost:80"),
        ("https://attic.local/", Address("https", "attic.local", 443), "https://attic.local:443"),
        ("http://[::1]:8737", Address("http", "::1", 8737), "http://[::1]:8737"),
        (f"https://h:1#sha256={PIN}", Address("https", "h", 1, bytes.fromhex(PIN)), "https://h:1"),
        (
            f"https://h:1#sha256={':'.join([PIN[:2].upper()] * 32)}",
            Address("https", "h", 1, bytes.fromhex(PIN)),
            "https://h:1",
        ),
    ],
)
def test_addresses_are_read_and_shown(text, expected, shown):
    assert parse_address(text) == expected
    assert str(expected) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:8737",
        "ftp://localhost",
        "http://",
        "http://user@localhost",
        "http://user:secret@localhost:8737",
        "http://localhost:x",
        "http://localhost:99999",
        "http://localhost/api",
        "http://localhost?x=1",
        f"http://localhost#sha256={PIN}",
        "https://localhost#sha256=abcd",
        "https://localhost#sha256=xy",
        "https://localhost#md5=abcd",
    ],
)
def test_other_texts_are_no_addresses(text):
    with pytest.raises(BadAddressError) as caught:
        parse_address(text)
    assert "secret" not in caught.value.message


def test_it_asks_with_key_and_json_and_reads_json():
    with answering(ok(b'{"a": [1]}', b"X-Some: Thing")) as (port, asked):
        answer = at(port, key="thorp_k_secret").request("POST", "/api/v1/x", {"q": "ü"})
    assert (answer.status, answer.headers["x-some"], answer.data) == (200, "Thing", {"a": [1]})
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/x HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer thorp_k_secret" in head
    assert b"\r\nContent-Type: application/json" in head
    assert f"\r\nHost: 127.0.0.1:{port}".encode() in head
    assert orjson.loads(body) == {"q": "ü"}


def test_the_key_is_not_shown():
    assert "secret" not in repr(at(1, key="secret"))


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX: y", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(BadKeyError):
        at(1, key=key).request("GET", "/")


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with answering(ok()) as (port, asked):
        at(port).request("GET", "/")
    assert asked[0].startswith(b"GET / HTTP/1.1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status):
    moved = b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n" % status
    with answering(moved) as (port, _), pytest.raises(BadAnswerError, match="points elsewhere"):
        at(port, key="secret").request("GET", "/")


def test_an_empty_answer_is_none():
    with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, _):
        assert at(port).request("DELETE", "/x").data is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", UnreachableError),
        (b"SSH-2.0-OpenSSH\r\n", BadAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", UnreachableError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, BadAnswerError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, BadAnswerError),
        (ok(b"<html>"), BadAnswerError),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", BadAnswerError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", BadAnswerError),
    ],
)
def test_what_is_no_node_is_told_apart(answer, expected):
    with answering(answer) as (port, _), pytest.raises(expected) as caught:
        assert at(port, largest_answer=1000).request("GET", "/").data
    assert type(caught.value) is expected
    assert caught.value.exit_code == 5


def test_a_refused_connection_says_what_to_do():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match="Is it running"):
        at(port).request("GET", "/")


def test_a_missing_socket_says_what_to_do(tmp_path):
    with pytest.raises(UnreachableError, match="`thorp up`"):
        BlockingClient.unix(tmp_path / "api.sock").request("GET", "/")


def test_silence_ends():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent, pytest.raises(SilentError):
        at(silent.getsockname()[1], timeout=0.05).request("GET", "/")


def streamed(*parts):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


def test_events_are_read_as_they_come():
    said = streamed(
        b": hello\n\nevent: snap", b'shot\nid: 1\ndata: {"a":1}\n\n', b"data:[1,\r\ndata: 2]\r\n\r\n", b"event: z\n\n"
    )
    with answering(said + b"0\r\n\r\n") as (port, asked):
        events = list(at(port).events("GET", "/api/v1/stream", last_id="boot-7"))
    assert events == [SseFrame("snapshot", "1", {"a": 1}), SseFrame("message", "", [1, 2])]
    assert b"Last-Event-ID: boot-7" in asked[0]


def test_a_stream_that_breaks_off_is_no_end():
    with answering(streamed(b"data: 1\n\n")) as (port, _):
        events = at(port).events("GET", "/stream")
        assert next(events).data == 1
        with pytest.raises(UnreachableError, match="broke off"):
            next(events)


@pytest.mark.parametrize("endless", [b"x" * (LARGEST_EVENT + 2), b"data: x\n" * (LARGEST_EVENT // 8 + 2)])
def test_an_endless_event_is_refused(endless):
    with answering(streamed(endless)) as (port, _), pytest.raises(BadAnswerError, match="more than"):
        list(at(port).events("GET", "/stream"))


def test_a_refused_stream_is_one_event_that_says_so():
    with answering(b'HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n{"a":1}') as (port, _):
        assert list(at(port).events("GET", "/stream")) == [SseFrame("error", "", {"a": 1})]


def test_a_stream_can_be_left(run):
    async def scenario():
        async with listening() as place:

            def leave():
                events = at(place.listener.port).events("GET", "/pour")
                return events.close()

            await asyncio.to_thread(leave)

    run(scenario())


class Node(TinyApp):
    async def do_refuse(self, scope, receive, send):
        await send_refusal(send, NotFoundError("There is no such thing."))


def test_it_speaks_with_a_listener_over_a_socket(run, tmp_path):
    path = tmp_path / "run" / "api.sock"

    async def scenario():
        listener = UnixListener(path, Node())
        await listener.start()
        client = BlockingClient.unix(path)
        try:
            facts = (await asyncio.to_thread(client.request, "GET", "/facts")).data
            assert (facts["kind"], facts["same_user"]) == ("socket", True)
            echo = (await asyncio.to_thread(client.request, "POST", "/x", {"a": "b" * 100_000})).data
            assert echo["body"] > 100_000
            refused = await asyncio.to_thread(client.request, "GET", "/refuse")
            assert (refused.status, refused.data["error"]["message"]) == (404, "There is no such thing.")
        finally:
            listener.stop_accepting()
            await listener.drain(0)

    run(scenario())


@pytest.fixture(scope="module")
def certificate():
    return make_certificate(("127.0.0.1", "localhost"), now=1_700_000_000)


def test_a_pinned_certificate_is_the_only_one_trusted(run, certificate):
    server = server_context(certificate.certificate, certificate.key)

    async def scenario():
        async with listening(tls=server, kind="exposed") as place:
            url = f"https://127.0.0.1:{place.listener.port}"
            good = BlockingClient.url(f"{url}#sha256={certificate.fingerprint}", "")
            assert (await asyncio.to_thread(good.request, "GET", "/facts")).data["tls"]
            place.app.calls.clear()
            wrong = BlockingClient.url(f"{url}#sha256={PIN}", "secret")
            with pytest.raises(WrongCertificateError, match="Nothing was sent"):
                await asyncio.to_thread(wrong.request, "GET", "/facts")
            unpinned = BlockingClient.url(url, "secret")
            with pytest.raises(UntrustedError, match="#sha256="):
                await asyncio.to_thread(unpinned.request, "GET", "/facts")
            assert place.app.calls == []

    run(scenario())


def test_the_pin_is_the_fingerprint_of_the_certificate(certificate):
    assert fingerprint_of(certificate.certificate) == certificate.fingerprint
    assert fingerprint_of(ssl.PEM_cert_to_DER_cert(certificate.certificate.decode())) == certificate.fingerprint


def test_its_import_brings_nothing_heavy():
    script = "import sys, thorp.net.blocking; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"asyncio", "pydantic", "uvicorn", "starlette", "cryptography", "orjson"} & set(loaded)
    assert http.client.__name__.partition(".")[0] in loaded


def test_where_no_tls_is_spoken_the_other_scheme_is_named():
    def speak_plainly(accepting):
        connection, _ = accepting.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            connection.settimeout(10)
            with suppress(OSError):
                while connection.recv(65536):
                    pass

    with closing(socket.create_server(("127.0.0.1", 0))) as accepting:
        port = accepting.getsockname()[1]
        thread = threading.Thread(target=speak_plainly, args=(accepting,))
        thread.start()
        with pytest.raises(BadAnswerError) as caught:
            BlockingClient.url(f"https://127.0.0.1:{port}", "").request("GET", "/")
        thread.join()
    assert caught.value.message == f"https://127.0.0.1:{port} speaks no TLS. Try `http://127.0.0.1:{port}`."
