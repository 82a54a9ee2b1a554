"""Raw bytes against a real listener. Limits are small and awaited; nothing here measures time."""

import asyncio
import socket

import pytest

from tests.net.conftest import get, listening, post
from thorp.net.facts import ListenerFacts
from thorp.net.listen import TcpListener
from thorp.net.protocol import Flow

SOON = 0.05  # where the limit is what is waited for
A_WHILE = 0.5  # where the limit must not strike, however busy the machine


async def refused(place, request):
    """The refusal of these bytes, on a connection that then ends without having reached the application."""
    client = await place.dial()
    heard = await client.ask(request)
    assert heard["connection"] == "close"
    assert heard["content-type"] == "application/json"
    assert heard["x-frame-options"] == "DENY"
    assert await client.is_closed()
    assert place.app.calls == []
    return heard.status, heard.code


MALFORMED = (400, "net.malformed_request")
CHUNKED = "Transfer-Encoding: chunked"

BAD_REQUESTS = {
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", MALFORMED),
    "no Host in HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", MALFORMED),
    "two Hosts": (get("/", "Host: evil.example"), MALFORMED),
    "two equal Hosts": (get("/", "Host: localhost"), MALFORMED),
    "two Authorizations": (get("/", "Authorization: Bearer a", "authorization: Bearer b"), MALFORMED),
    "two x-api-keys": (get("/", "X-API-Key: a", "x-api-key: b"), MALFORMED),
    "two cookies": (get("/", "Cookie: a=1", "Cookie: a=2"), MALFORMED),
    "two origins": (get("/", "Origin: http://localhost", "Origin: null"), MALFORMED),
    "absolute form": (get("http://evil.example/"), MALFORMED),
    "absolute https form": (get("https://localhost/"), MALFORMED),
    "authority form": (get("evil.example:80"), MALFORMED),
    "asterisk form": (get("*").replace(b"GET", b"OPTIONS"), MALFORMED),
    "fragment": (get("/a#b"), MALFORMED),
    "spaces in the target": (get("/a b"), MALFORMED),
    "raw bytes in the target": (get("/\xe9"), MALFORMED),
    "folded header": (get("/", "X-A: a", " b"), MALFORMED),
    "folded with a tab": (get("/", "X-A: a", "\tb"), MALFORMED),
    "folded length": (post("/", "Content-Length:", " 5") + b"hello", MALFORMED),
    "folded first header": (b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", MALFORMED),
    "bare CR in a header": (get("/", "X-A: a\rHost: evil.example"), MALFORMED),
    "bare LF as line end": (get().replace(b"\r\n", b"\n"), MALFORMED),
    "NUL in a header": (get("/", "X-A: a\0b"), MALFORMED),
    "space before the colon": (get("/", "X-A : a"), MALFORMED),
    "empty header name": (get("/", ": a"), MALFORMED),
    "TE and CL": (post("/", CHUNKED, "Content-Length: 5") + b"0\r\n\r\n", MALFORMED),
    "CL and TE": (post("/", "Content-Length: 5", CHUNKED) + b"0\r\n\r\n", MALFORMED),
    "two lengths": (post("/", "Content-Length: 5", "Content-Length: 6") + b"hello!", MALFORMED),
    "two equal lengths": (post("/", "Content-Length: 5", "Content-Length: 5") + b"hello", MALFORMED),
    "list of lengths": (post("/", "Content-Length: 5, 5") + b"hello", MALFORMED),
    "signed length": (post("/", "Content-Length: +5") + b"hello", MALFORMED),
    "length beyond 64 bits": (post("/", "Content-Length: 99999999999999999999") + b"hello", MALFORMED),
    "chunked twice": (post("/", "Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", MALFORMED),
    "two codings": (post("/", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", MALFORMED),
    "identity coding": (post("/", "Transfer-Encoding: identity") + b"hello", MALFORMED),
    "almost chunked": (post("/", "Transfer-Encoding: xchunked") + b"0\r\n\r\n", MALFORMED),
    "chunked in HTTP/1.0": (post("/", CHUNKED).replace(b"1.1", b"1.0") + b"0\r\n\r\n", MALFORMED),
    "TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", MALFORMED),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
    "unknown method": (get().replace(b"GET", b"FETCH"), MALFORMED),
    "TRACE": (get().replace(b"GET", b"TRACE"), (405, "net.bad_method")),
    "RTSP": (get().replace(b"GET", b"DESCRIBE"), MALFORMED),
    "WebDAV method": (get().replace(b"GET", b"PROPFIND"), (405, "net.bad_method")),
    "HTTP/0.9": (b"GET /\r\n\r\n", (505, "net.bad_version")),
    "HTTP/2.0": (get().replace(b"1.1", b"2.0"), (505, "net.bad_version")),
    "CONNECT": (get("evil.example:80").replace(b"GET", b"CONNECT"), (400, "net.upgrade_refused")),
    "h2c": (get("/", "Connection: upgrade", "Upgrade: h2c"), (400, "net.upgrade_refused")),
    "upgrade with a body": (
        post("/", "Connection: upgrade", "Upgrade: x", "Content-Length: 5") + b"hello",
        (400, "net.upgrade_refused"),
    ),
    "long target": (get("/" + "a" * 9000), (414, "net.target_too_long")),
    "endless target": (b"GET /" + b"a" * 1_000_000, (414, "net.target_too_long")),
    "a mebibyte of headers": (get("/", *[f"X-{n}: {'a' * 10_000}" for n in range(100)]), (431, "net.head_too_large")),
    "one endless header": (get("/", "X-A: " + "a" * 1_000_000), (431, "net.head_too_large")),
    "101 headers": (get("/", *[f"X-{n}: a" for n in range(100)]), (431, "net.head_too_large")),
    "endless empty lines": (b"\r\n" * 20_000, (431, "net.head_too_large")),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_A10_requests_that_can_be_read_in_two_ways_are_refused_and_the_connection_ends(run, name):
    request, expected = BAD_REQUESTS[name]

    async def scenario():
        async with listening(linger_seconds=3600) as place:
            assert await refused(place, request) == expected

    run(scenario())


def test_A5_a_websocket_from_anywhere_is_refused_and_what_follows_is_not_read(run):
    upgrade = get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: a", "Sec-WebSocket-Version: 13")

    async def scenario():
        async with listening(linger_seconds=3600) as place:
            assert await refused(place, upgrade + get("/smuggled")) == (400, "net.upgrade_refused")

    run(scenario())


@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/", "Upgrade: h2c"),
        get("/", *[f"X-{n}: a" for n in range(99)]),
        get("/" + "a" * 8000),
        get("/", "X-A: " + "a" * 32_000),
        b"\r\n" + get(),
        get("/?a=b#".rstrip("#")),
        get("//evil.example/x"),
        get("/%00%2e%2e/"),
        get().replace(b"1.1", b"1.0"),
    ],
    ids=lambda value: value[:20].decode(),
)
def test_requests_at_the_limits_are_answered(run, request_bytes):
    async def scenario():
        async with listening() as place:
            assert (await (await place.dial()).ask(request_bytes)).status == 200

    run(scenario())


def test_a_hundred_requests_go_over_one_connection(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            for number in range(50):
                assert (await client.get(f"/{number}")).json["path"] == f"/{number}"
                body = b"x" * (number * 3000)
                heard = await client.ask(post("/", f"Content-Length: {len(body)}") + body)
                assert heard.json["body"] == len(body)
                assert "server" not in heard

    run(scenario())


def test_bodies_arrive_whole_however_they_are_cut(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            for size in (1, 7, 32 * 1024, 200_000):
                data = b"y" * 300_000
                chunks = [data[at : at + size] for at in range(0, len(data), max(size, 1000))]
                chunked = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
                heard = await client.ask(post("/", CHUNKED) + chunked)
                assert heard.json["body"] == sum(map(len, chunks))

    run(scenario())


def test_a_request_dripping_byte_by_byte_is_read_as_one(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in post("/drip", "Content-Length: 3") + b"abc":
                client.say(bytes([byte]))
                await asyncio.sleep(0)
            assert (await client.hear()).json["body"] == 3

    run(scenario())


def test_A10_pipelined_requests_are_answered_in_order_each_as_itself(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            body = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
            client.say(get("/1") + post("/2", f"Content-Length: {len(body)}") + body + get("/3"))
            assert [(await client.hear()).json["path"] for _ in range(3)] == ["/1", "/2", "/3"]
            assert place.app.calls == ["1", "2", "3"]

    run(scenario())


def test_A10_a_second_request_hidden_behind_chunked_lies_is_never_run(run):
    lies = post("/", CHUNKED) + b"5;\r\nhello\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def scenario():
        async with listening() as place:
            client = await place.dial()
            heard = await client.ask(lies)
            assert (heard.status, heard.code) == MALFORMED
            assert await client.is_closed()
            assert "smuggled" not in place.app.calls

    run(scenario())


def test_A10_headers_after_the_body_never_reach_the_application(run):
    trailers = post("/", CHUNKED) + b"0\r\nHost: evil.example\r\nAuthorization: Bearer x\r\n\r\n"

    async def scenario():
        async with listening() as place:
            client = await place.dial()
            heard = await client.ask(trailers)
            assert (heard.status, heard.code) == MALFORMED
            assert await client.is_closed()

    run(scenario())


def test_what_follows_connection_close_is_not_read(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(get("/1", "Connection: close") + get("/smuggled"))
            assert (await client.hear()).status == 200
            assert await client.is_closed()
            assert place.app.calls == ["1"]

    run(scenario())


def test_requests_ahead_of_their_answers_are_bounded(run):
    async def scenario():
        async with listening(pipelined=3) as place:
            client = await place.dial()
            client.say(get("/hold") + get("/a") * 10)
            await place.app.begun.wait()
            place.app.finish.set()
            assert [(await client.hear()).status for _ in range(4)] == [200] * 4
            heard = await client.hear()
            assert (heard.status, heard.code) == (429, "net.pipeline_full")
            assert await client.is_closed()
            assert place.app.calls == ["hold", "a", "a", "a"]

    run(scenario())


def test_a_bad_request_in_a_pipeline_is_refused_after_the_answers_before_it(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(get("/hold") + post("/2", CHUNKED) + b"zz\r\n" + get("/3"))
            await place.app.begun.wait()
            place.app.finish.set()
            assert (await client.hear()).json == "held"
            heard = await client.hear()
            assert (heard.status, heard.code) == MALFORMED
            assert await client.is_closed()
            assert place.app.calls == ["hold"]

    run(scenario())


def test_only_the_bad_request_of_a_pipeline_goes_unanswered_however_long_the_others_take(run):
    async def scenario():
        async with listening(body_seconds=SOON) as place:
            client = await place.dial()
            client.say(get("/hold") + get("/later") + post("/3", CHUNKED) + b"zz\r\n")
            await place.app.begun.wait()
            place.app.finish.set()
            assert (await client.hear()).json == "held"
            await asyncio.sleep(4 * SOON)
            place.app.later.set()
            assert (await client.hear()).json == "later"
            assert (await client.hear()).code == "net.malformed_request"
            assert await client.is_closed()

    run(scenario())


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on_or_not(run):
    async def scenario():
        async with listening() as place:
            asking = await place.dial()
            asking.say(post("/", "Content-Length: 3", "Expect: 100-continue"))
            assert await asking.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await asking.ask(b"abc")).json["body"] == 3
            refused = await place.dial()
            heard = await refused.ask(post("/early", "Content-Length: 3", "Expect: 100-continue"))
            assert (heard.json, heard["connection"]) == ("early", "close")
            refused.say(get("/smuggled"))
            assert await refused.is_closed()
            assert "smuggled" not in place.app.calls

    run(scenario())


@pytest.mark.parametrize("first", [b"", b"G", b"GET / HTTP/1.1\r\nHo", b"GET /\r\n", b"\r\n\r\n"])
def test_A13_headers_that_do_not_come_are_waited_for_only_so_long(run, first):
    async def scenario():
        async with listening(head_seconds=SOON) as place:
            assert await refused(place, first) == (408, "net.too_slow")

    run(scenario())


def test_A13_headers_that_drip_for_ever_end_too(run):
    async def scenario():
        async with listening(head_seconds=SOON) as place:
            client = await place.dial()
            client.say(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            heard = asyncio.ensure_future(client.hear())
            while not heard.done():
                client.say(b"X-A: b\r\n")
                await asyncio.sleep(SOON / 20)
            assert (await heard).code in {"net.too_slow", "net.head_too_large"}
            assert place.app.calls == []

    run(scenario())


def test_A13_the_headers_of_a_later_request_are_timed_too(run):
    async def scenario():
        async with listening(head_seconds=SOON) as place:
            client = await place.dial()
            await client.get()
            assert (await client.ask(b"GET / HT")).code == "net.too_slow"
            assert await client.is_closed()

    run(scenario())


def test_A13_a_body_that_stands_still_ends_and_its_handler_hears_of_it(run):
    async def scenario():
        async with listening(body_seconds=SOON) as place:
            client = await place.dial()
            heard = await client.ask(post("/", "Content-Length: 10") + b"hello")
            assert (heard.status, heard.code) == (408, "net.too_slow")
            await place.app.gone.wait()
            assert await client.is_closed()

    run(scenario())


@pytest.mark.parametrize("drip", [b"x", b"1;a=b\r\nx\r\n"])
def test_A13_a_body_of_one_byte_now_and_then_ends_too(run, drip):
    framing = "Content-Length: 1000000" if drip == b"x" else CHUNKED

    async def scenario():
        async with listening(body_seconds=SOON) as place:
            client = await place.dial()
            client.say(post("/", framing))
            heard = asyncio.ensure_future(client.hear())
            while not heard.done():
                client.say(drip)
                await asyncio.sleep(SOON / 20)
            assert (await heard).code == "net.too_slow"

    run(scenario())


def test_A13_an_endless_chunk_extension_or_trailer_is_cut(run):
    async def scenario():
        async with listening() as place:
            for endless in (b"5;" + b"a" * 200_000, b"0\r\nX-A: " + b"a" * 200_000):
                client = await place.dial()
                heard = await client.ask(post("/", CHUNKED) + endless)
                assert heard.status in {400, 431}
                assert await client.is_closed()

    run(scenario())


def test_a_body_that_keeps_coming_may_take_longer_than_one_window(run):
    async def scenario():
        async with listening(body_seconds=A_WHILE, body_least=10) as place:
            client = await place.dial()
            client.say(post("/", CHUNKED))
            loop, sent = asyncio.get_running_loop(), 0
            enough = loop.time() + 3 * A_WHILE
            while loop.time() < enough:
                client.say(b"a\r\n0123456789\r\n")
                sent += 10
                await asyncio.sleep(A_WHILE / 100)
            assert (await client.ask(b"0\r\n\r\n")).json["body"] == sent

    run(scenario())


def test_a_handler_that_reads_late_is_not_the_peers_fault(run):
    async def scenario():
        async with listening(body_seconds=A_WHILE) as place:
            client = await place.dial()
            client.say(get("/hold") + post("/", "Content-Length: 500000") + b"x" * 500_000)
            await asyncio.sleep(3 * A_WHILE)
            place.app.finish.set()
            assert (await client.hear()).json == "held"
            assert (await client.hear()).json["body"] == 500_000

    run(scenario())


def test_headers_that_wait_because_we_do_not_read_are_not_late(run):
    async def scenario():
        async with listening(head_seconds=A_WHILE) as place:
            client = await place.dial()
            client.say(get("/hold") + get("/2") + b"GET /3 HTT")
            await asyncio.sleep(2 * A_WHILE)
            place.app.finish.set()
            client.say(b"P/1.1\r\nHost: localhost\r\n\r\n")
            assert (await client.hear()).json == "held"
            assert [(await client.hear()).json["path"] for _ in range(2)] == ["/2", "/3"]

    run(scenario())


def test_a_pause_before_a_wait_is_no_excuse_in_it():
    class Wire(asyncio.Transport):
        def pause_reading(self):
            """Nothing comes anyway."""

        def resume_reading(self):
            """Nothing comes anyway."""

    flow, seen = Flow(Wire()), []
    for step in (flow.pause_reading, flow.resume_reading, flow.watch, flow.pause_reading, flow.watch):
        step()
        seen.append(flow.was_paused)
    assert seen == [True, True, False, True, True]


def test_headers_have_their_time_again_once_we_read_again(run):
    async def scenario():
        async with listening(head_seconds=A_WHILE) as place:
            client = await place.dial()
            client.say(get("/hold") + get("/2") + b"GET /3 HTT")
            await asyncio.sleep(1.8 * A_WHILE)
            place.app.finish.set()
            assert (await client.hear()).json == "held"
            await asyncio.sleep(0.4 * A_WHILE)
            client.say(b"P/1.1\r\nHost: localhost\r\n\r\n")
            assert [(await client.hear()).json["path"] for _ in range(2)] == ["/2", "/3"]

    run(scenario())


def test_an_answer_may_take_its_time(run):
    async def scenario():
        async with listening(head_seconds=A_WHILE, body_seconds=A_WHILE, keep_alive_seconds=A_WHILE) as place:
            client = await place.dial()
            await client.get()
            client.say(post("/hold", "Content-Length: 1") + b"x")
            await asyncio.sleep(2 * A_WHILE)
            place.app.finish.set()
            assert (await client.hear()).json == "held"
            assert (await client.get("/next")).json["path"] == "/next"

    run(scenario())


def test_a_bad_body_breaks_off_an_answer_that_has_begun(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(post("/duplex", CHUNKED))
            begun = await client.reader.readuntil(b"half")
            client.say(b"zz\r\n")
            rest = await client.rest()
            assert b"HTTP/1.1" not in begun[1:] + rest
            await place.app.gone.wait()

    run(scenario())


def test_A13_a_client_that_never_reads_is_cut_off_and_its_handler_ends(run):
    async def scenario():
        async with listening(write_seconds=SOON, gone_seconds=SOON) as place:
            client = await place.dial()
            client.writer.transport.pause_reading()
            client.say(get("/pour"))
            await place.app.cancelled.wait()

    run(scenario())


@pytest.mark.parametrize(
    "request_bytes",
    [get("/big"), get("/big", "Connection: close"), get("/bighalf"), get("/pour")],
    ids=["kept alive", "to be closed", "broken off", "endless"],
)
def test_A13_a_client_that_never_takes_its_answer_is_cut_off(run, request_bytes):
    async def scenario():
        async with listening(write_seconds=SOON, keep_alive_seconds=SOON, gone_seconds=SOON) as place:
            client = await place.dial_and_never_read()
            client.say(request_bytes)
            await place.app.begun.wait()
            await place.until_empty()

    run(scenario())


def test_a_client_that_takes_its_answer_slowly_is_served_to_the_end(run):
    async def scenario():
        async with listening(write_seconds=A_WHILE) as place:
            client = await place.dial_and_never_read(kibibytes=64)
            client.writer.transport.resume_reading()
            client.say(get("/flood", "Connection: close"))
            read = 0
            while piece := await client.reader.read(10_000):
                read += len(piece)
                await asyncio.sleep(A_WHILE / 30)
            assert read > 1_000_000

    run(scenario())


def test_A14_a_client_that_leaves_is_known_to_a_waiting_handler(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(get("/wait"))
            await place.app.begun.wait()
            client.reset()
            await place.app.gone.wait()

    run(scenario())


def test_A14_a_client_that_leaves_with_requests_in_the_pipeline_is_known_to_the_running_one(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(get("/wait") + get("/next"))
            await place.app.begun.wait()
            client.reset()
            await place.app.gone.wait()
            assert place.app.calls == ["wait"]

    run(scenario())


@pytest.mark.parametrize("path", ["/pour", "/hold"])
def test_A14_a_handler_that_never_looks_is_cancelled_after_its_client_left(run, path):
    async def scenario():
        async with listening(gone_seconds=SOON) as place:
            client = await place.dial()
            client.say(get(path))
            await place.app.begun.wait()
            client.reset()
            await place.app.cancelled.wait()

    run(scenario())


def test_an_idle_connection_is_closed_quietly(run):
    async def scenario():
        async with listening(keep_alive_seconds=SOON) as place:
            client = await place.dial()
            await client.get()
            assert await client.is_closed()

    run(scenario())


def test_an_answer_before_the_body_leaves_the_connection_usable(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            assert (await client.ask(post("/early", "Content-Length: 100000"))).json == "early"
            client.say(b"x" * 100_000)
            assert (await client.get("/next")).json["path"] == "/next"

    run(scenario())


@pytest.mark.parametrize(
    ("limits", "rest"),
    [
        ({"linger_seconds": SOON}, b""),
        ({"linger_bytes": 1000, "linger_seconds": 3600}, b"x" * 50_000),
    ],
)
def test_the_rest_of_an_answered_body_is_read_only_so_far_and_so_long(run, limits, rest):
    async def scenario():
        async with listening(**limits) as place:
            client = await place.dial()
            assert (await client.ask(post("/early", "Content-Length: 1000000"))).json == "early"
            client.say(rest)
            assert await client.is_closed()

    run(scenario())


def test_an_answer_without_end_is_broken_off_so_that_nobody_takes_it_for_whole(run, caplog):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            with pytest.raises(asyncio.IncompleteReadError):
                await client.get("/half")

    run(scenario())
    assert not caplog.records


def test_a_fault_of_the_application_is_answered_with_500(run, caplog):
    async def broken(scope, receive, send):
        raise ValueError("broken")

    async def scenario():
        async with listening(broken) as place:
            assert (await (await place.dial()).get()).status == 500

    run(scenario())
    assert "broken" in caplog.text


def test_the_application_learns_where_and_who(run):
    async def scenario():
        async with listening() as place:
            facts = (await (await place.dial()).get("/facts")).json
            assert facts["bound"] == [["127.0.0.1", place.listener.port]]
            assert (facts["kind"], facts["tls"], facts["same_user"], facts["scheme"]) == ("local", False, True, "http")

    run(scenario())


def test_what_proxies_say_about_the_client_changes_nothing(run):
    async def scenario():
        async with listening() as place:
            facts = (
                await (await place.dial()).get("/facts", "X-Forwarded-Proto: https", "X-Forwarded-For: 1.2.3.4")
            ).json
            assert facts["scheme"] == "http"

    run(scenario())


@pytest.mark.parametrize(("kind", "ends_with"), [("local", b""), ("mesh", ConnectionResetError)])
def test_a_member_that_was_cut_off_gets_nothing_more_and_others_what_was_sent(run, kind, ends_with):
    """Between nodes the connection is reset, so that what waits in buffers of this machine stays here."""
    cut = asyncio.Event()

    async def poured(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        await cut.wait()

    async def last_of(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get())
        await reader.readuntil(b"x")
        cut.set()
        try:
            while await reader.read(65_536):
                pass
        except ConnectionResetError:
            return ConnectionResetError
        finally:
            writer.close()
        return b""

    async def scenario():
        listener = TcpListener(ListenerFacts(kind), "127.0.0.1", 0, poured)
        await listener.start()
        assert await last_of(listener.port) == ends_with
        listener.stop_accepting()
        await listener.drain(1.0)

    run(scenario())
