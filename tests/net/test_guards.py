"""Tables of requests and what the guards say; then the guard itself before a real listener."""

import asyncio
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.conftest import get, listening, post
from thorp.net.facts import LISTENER, ListenerFacts
from thorp.net.guards import (
    FORM,
    Asked,
    BodyTooLargeError,
    CrossOriginError,
    Guard,
    GuardPolicy,
    KeyInQueryError,
    MisdirectedError,
    UnsupportedBodyError,
    check,
    check_host,
    dressed,
    host_name,
    media_type,
)

POLICY = GuardPolicy(hosts=lambda: ("Thorp.Lan", "ai.example"), machine="Attic", body_bytes_below=(("/v1/", 1000),))
PORT = "8737"


def asked(
    method="GET", path="/api/v1/status", query="", *, scheme="http", kind="local", address="127.0.0.1", **headers
):
    given_headers = {"host": f"localhost:{PORT}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = {name.encode(): value.encode("latin-1") for name, value in given_headers.items() if value is not None}
    return Asked(method, path, query.encode(), raw, scheme, kind, address)


# Host

LOCAL = {"kind": "local", "address": "127.0.0.1"}
LOCAL6 = {"kind": "local", "address": "::1"}
OTHER_LOOPBACK = {"kind": "local", "address": "127.0.0.2"}
SOCKET = {"kind": "socket", "address": "/run/api.sock"}
EXPOSED = {"kind": "exposed", "address": "192.0.2.7"}
EXPOSED6 = {"kind": "exposed", "address": "fe80::7%eth0"}
EXPOSED_MAPPED = {"kind": "exposed", "address": "::ffff:192.0.2.7"}
EXPOSED_LOOPBACK = {"kind": "exposed", "address": "127.0.0.1"}


@pytest.mark.parametrize(
    ("place", "host"),
    [
        (LOCAL, "localhost"),
        (LOCAL, "localhost:8737"),
        (LOCAL, "localhost:9999"),
        (LOCAL, "LOCALHOST:8737"),
        (LOCAL, "127.0.0.1:8737"),
        (LOCAL, "[::1]:8737"),
        (LOCAL, "thorp.lan"),
        (LOCAL, "THORP.LAN:80"),
        (LOCAL6, "[::1]"),
        (LOCAL6, "[0:0:0:0:0:0:0:1]:8737"),
        (LOCAL6, "127.0.0.1"),
        (OTHER_LOOPBACK, "127.0.0.2:8737"),
        (SOCKET, "localhost"),
        (SOCKET, "ai.example"),
        (EXPOSED, "192.0.2.7:8738"),
        (EXPOSED, "attic.local:8738"),
        (EXPOSED, "attic-2.local"),
        (EXPOSED, "ai.example"),
        (EXPOSED6, "[fe80::7]:8738"),
        (EXPOSED_MAPPED, "192.0.2.7"),
        (EXPOSED_MAPPED, "[::ffff:192.0.2.7]"),
        (EXPOSED_LOOPBACK, "localhost:8738"),
    ],
)
def test_our_own_names_are_answered_to(place, host):
    check(asked(host=host, **place), POLICY)


@pytest.mark.parametrize(
    ("place", "host"),
    [
        (LOCAL, "evil.example"),
        (LOCAL, "evil.example:8737"),
        (LOCAL, "localhost.evil.example"),
        (LOCAL, "evil.localhost"),
        (LOCAL, "localhost."),
        (LOCAL, "127.0.0.1."),
        (LOCAL, "127.0.0.1.evil.example"),
        (LOCAL, "127.0.0.2"),
        (LOCAL, "0.0.0.0"),
        (LOCAL, "127.1"),
        (LOCAL, "0127.0.0.1"),
        (LOCAL, "2130706433"),
        (LOCAL, "0x7f.0.0.1"),
        (LOCAL, "192.0.2.7"),
        (LOCAL, "::1"),
        (LOCAL, "[::1"),
        (LOCAL, "[::2]"),
        (LOCAL, "[::1]evil"),
        (LOCAL, "[127.0.0.1]:x"),
        (LOCAL, "localhost:"),
        (LOCAL, "localhost:99999999"),
        (LOCAL, "localhost:8737:8737"),
        (LOCAL, "user@localhost"),
        (LOCAL, "localhost, evil.example"),
        (LOCAL, "localhost evil.example"),
        (LOCAL, "localhost/"),
        (LOCAL, ""),
        (LOCAL, " "),
        (LOCAL, "l\xf6calhost"),
        (LOCAL, "attic"),
        (LOCAL, "attic.local"),
        (SOCKET, "127.0.0.1"),
        (SOCKET, "evil.example"),
        (SOCKET, "/run/api.sock"),
        (EXPOSED, "localhost"),
        (EXPOSED, "127.0.0.1"),
        (EXPOSED, "192.0.2.8"),
        (EXPOSED, "evil.local"),
        (EXPOSED, "attic.local.evil.example"),
        (EXPOSED, "attic-x.local"),
        (EXPOSED, "attic.local."),
    ],
)
def test_A1_A2_a_foreign_name_is_misdirected(place, host):
    with pytest.raises(MisdirectedError):
        check(asked(host=host, **place), POLICY)


def test_A1_a_request_without_a_host_is_misdirected():
    with pytest.raises(MisdirectedError):
        check(asked(host=None), POLICY)


def test_a_local_name_is_for_the_exposed_listener_even_when_the_owner_lists_it():
    policy = GuardPolicy(hosts=lambda: ("box.local",))
    check_host(asked(host="box.local", **EXPOSED), policy)
    with pytest.raises(MisdirectedError):
        check_host(asked(host="box.local", **LOCAL), policy)


def test_names_are_asked_for_at_every_request():
    names = []
    policy = GuardPolicy(hosts=lambda: names)
    with pytest.raises(MisdirectedError):
        check_host(asked(host="new.example"), policy)
    names.append("new.example")
    check_host(asked(host="new.example"), policy)


@given(st.binary(max_size=60))
def test_any_host_header_has_a_name_or_none(host):
    name = host_name(host)
    assert name is None or re.fullmatch(r"[a-z0-9_.:-]+", name)


# Where the request comes from

PAGE = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}


@pytest.mark.parametrize(
    "request_of",
    [
        {},
        {"origin": "http://localhost:8737"},
        {"origin": "HTTP://LOCALHOST:8737"},
        {"origin": "http://127.0.0.1:8737", "host": "127.0.0.1:8737"},
        {"origin": "http://localhost:9000", "host": "localhost:9000"},
        {"origin": "http://[::1]:8737", "host": "[::1]:8737"},
        {"origin": "https://192.0.2.7", "host": "192.0.2.7", "scheme": "https", **EXPOSED},
        {"origin": "https://ai.example", "host": "ai.example", "x_forwarded_proto": "https"},
        {"method": "POST", "origin": "http://localhost:8737", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none", **PAGE},
        {"path": "/", "sec_fetch_site": "cross-site", **PAGE},
        {"path": "/", "sec_fetch_site": "same-site", **PAGE},
        {"path": "/plain/status", "sec_fetch_site": "cross-site", **PAGE},
        {"method": "OPTIONS"},
    ],
)
def test_requests_of_our_own_pages_and_of_programs_pass(request_of):
    check(asked(**request_of), POLICY)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "file://",
        "http://evil.example",
        "https://localhost:8737",
        "http://localhost",
        "http://localhost:3000",
        "http://localhost:87370",
        "http://localhost:8737/",
        "http://127.0.0.1:8737",
        "http://evil.example, http://localhost:8737",
        "http://localhost:8737.evil.example",
        "http://localhost:8737@evil.example",
        "chrome-extension://abcdefghijklmnop",
        "moz-extension://abcdefghijklmnop",
        "vscode-webview://abcdefghijklmnop",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/api/v1/stream", "/metrics", "/v1/models"])
def test_A3_a_foreign_origin_is_refused_everywhere(method, path, origin):
    with pytest.raises(CrossOriginError):
        check(asked(method, path, origin=origin), POLICY)


def test_https_pages_of_a_listed_name_need_the_owners_proxy_in_between():
    with pytest.raises(CrossOriginError):
        check(asked(origin="https://ai.example", host="ai.example"), POLICY)
    with pytest.raises(CrossOriginError):
        check(asked(origin="https://localhost:8737", x_forwarded_proto="https"), POLICY)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://localhost"}, {"sec_fetch_site": "none"}, {"sec_fetch_site": "same-origin", **PAGE}],
)
def test_A3_a_page_on_the_unix_socket_came_through_a_proxy_that_has_to_say_so(headers):
    with pytest.raises(CrossOriginError):
        check(asked(path="/", host="localhost", **headers, **SOCKET), POLICY)
    check(asked(path="/", host="localhost", x_forwarded_for="192.0.2.7", **headers, **SOCKET), POLICY)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "nonsense"])
@pytest.mark.parametrize(
    "request_of",
    [
        {},
        {"path": "/", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
        {"path": "/", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
        {"path": "/", "sec_fetch_mode": "navigate", "sec_fetch_dest": "embed"},
        {"path": "/", "method": "POST", **PAGE},
        {"path": "/api/v1/status", **PAGE},
        {"path": "/v1/models", **PAGE},
        {"path": "/metrics", **PAGE},
        {"path": "/plain", **PAGE},
        {"path": "/plainer", **PAGE},
        {"path": "/assets/app.js", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"},
    ],
)
def test_A5_A7_another_site_can_link_to_a_page_and_nothing_else(site, request_of):
    with pytest.raises(CrossOriginError):
        check(asked(sec_fetch_site=site, **request_of), POLICY)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:8737", "access_control_request_method": "POST"},
        {"access_control_request_method": "POST", "access_control_request_private_network": "true"},
    ],
)
def test_A6_a_preflight_is_refused(headers):
    with pytest.raises(CrossOriginError):
        check(asked("OPTIONS", **headers), POLICY)


# The query


@pytest.mark.parametrize(
    "query",
    [
        "key=abc",
        "api_key=abc",
        "API-Key=abc",
        "apikey",
        "a=b&token=",
        "access_token=abc",
        "%61pi_key=abc",
        "x=thorp_kabcdefgh_secret",
        "x=%74horp_kabcdefgh_secret",
        "x=before-thorp_o_secret",
        "thorp_k0123abcd_short",
    ],
)
def test_A8_a_key_in_the_query_is_refused_without_repeating_it(query):
    with pytest.raises(KeyInQueryError) as caught:
        check(asked(query=query), POLICY)
    assert "secret" not in caught.value.message


HARMLESS = ["", "a=b", "monkey=1", "q=thorp_up", "q=thorp_keys_create", "tokens=5", "name=key", "%ff=%fe", "&&=&"]


@pytest.mark.parametrize("query", HARMLESS)
def test_an_ordinary_query_passes(query):
    check(asked(query=query), POLICY)


# The body

SENT = {"method": "POST", "content_length": "2"}


@pytest.mark.parametrize(
    "request_of",
    [
        {"method": "POST"},
        {"method": "POST", "content_length": "0", "content_type": "text/plain"},
        {**SENT, "content_type": "application/json"},
        {**SENT, "content_type": "Application/JSON; charset=UTF-8"},
        {**SENT, "content_type": 'application/json;charset="utf-8"'},
        {**SENT, "content_type": "application/json", "content_encoding": "identity"},
        {"method": "POST", "transfer_encoding": "chunked", "content_type": "application/json"},
        {**SENT, "content_type": FORM, "path": "/plain/claim"},
        {**SENT, "content_type": "application/json", "path": "/plain/claim"},
        {**SENT, "content_type": "application/json", "content_length": str(8 * 1024 * 1024)},
        {**SENT, "content_type": "application/json", "content_length": "1000", "path": "/v1/chat/completions"},
    ],
)
def test_a_plain_json_body_passes(request_of):
    check(asked(**request_of), POLICY)


@pytest.mark.parametrize(
    "request_of",
    [
        SENT,
        {**SENT, "content_type": "text/plain"},
        {**SENT, "content_type": "text/plain; application/json"},
        {**SENT, "content_type": "application/json, text/plain"},
        {**SENT, "content_type": "application/jsonp"},
        {**SENT, "content_type": "text/json"},
        {**SENT, "content_type": "application/json; charset=utf-16"},
        {**SENT, "content_type": "application/json; charset=utf-7"},
        {**SENT, "content_type": FORM},
        {**SENT, "content_type": "multipart/form-data; boundary=x"},
        {**SENT, "content_type": "text/plain", "path": "/plain/claim"},
        {"method": "POST", "transfer_encoding": "chunked", "content_type": "text/plain"},
        {"method": "DELETE", "content_length": "2", "content_type": "text/plain"},
    ],
)
def test_A4_a_body_that_a_form_could_send_is_refused(request_of):
    with pytest.raises(UnsupportedBodyError, match="Content-Type"):
        check(asked(**request_of), POLICY)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP", "x"])
def test_A12_a_compressed_body_is_refused_before_it_is_read(coding):
    with pytest.raises(UnsupportedBodyError, match="Compressed"):
        check(asked(**SENT, content_type="application/json", content_encoding=coding), POLICY)


@pytest.mark.parametrize(
    ("path", "length"), [("/api/v1/x", 8 * 1024 * 1024 + 1), ("/api/v1/x", 2**40), ("/v1/chat", 1001)]
)
def test_A11_a_body_that_announces_too_much_is_refused_before_it_is_read(path, length):
    with pytest.raises(BodyTooLargeError):
        check(asked("POST", path, content_type="application/json", content_length=str(length)), POLICY)


@given(st.binary(max_size=80))
def test_any_content_type_has_a_media_type_or_none(content_type):
    found = media_type(content_type)
    assert found is None or found == found.lower().strip()


# The answer


def test_A6_A7_every_answer_forbids_frames_and_other_sites():
    headers = dict(dressed([(b"Access-Control-Allow-Origin", b"*"), (b"x", b"y")], "/"))
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"cross-origin-opener-policy"] == headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert not [name for name in headers if name.lower().startswith(b"access-control-")]
    assert b"cache-control" not in headers
    assert headers[b"x"] == b"y"


@pytest.mark.parametrize("path", ["/api/v1/status", "/v1/models", "/api/chat"])
def test_answers_of_the_api_are_not_stored(path):
    assert (b"cache-control", b"no-store") in dressed([], path)
    assert dressed([(b"Cache-Control", b"private")], path)[0] == (b"Cache-Control", b"private")


# The wrapper


async def read_all(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"here")]})
    await send({"type": "http.response.body", "body": orjson.dumps(len(body))})


async def answer_first(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await read_all(scope, receive, lambda _: asyncio.sleep(0))


def typed_post(*headers):
    return post("/api/v1/x", "Content-Type: application/json", *headers)


def test_the_guard_stands_before_a_real_listener(run):
    async def scenario():
        async with listening(Guard(read_all, GuardPolicy(body_bytes=10))) as place:
            client = await place.dial()
            for _ in range(2):
                heard = await client.ask(typed_post("Content-Length: 10") + b"x" * 10)
                assert (heard.status, heard.body, heard["x-app"]) == (200, b"10", "here")
                assert heard["x-frame-options"] == "DENY"
                assert heard["cache-control"] == "no-store"
                for request, status, code in (
                    (get("/").replace(b"localhost", b"evil.example"), 421, "net.misdirected"),
                    (get("/", "Origin: null"), 403, "net.cross_origin"),
                    (get("/?key=x"), 400, "net.key_in_query"),
                    (post("/", "Content-Length: 1") + b"x", 415, "net.unsupported_body"),
                    (typed_post("Content-Length: 11") + b"x" * 11, 413, "net.body_too_large"),
                ):
                    heard = await client.ask(request)
                    assert (heard.status, heard.code) == (status, code)
                    assert heard["x-frame-options"] == "DENY"
                    assert "x-app" not in heard

    run(scenario())


def test_A11_a_body_that_grows_too_large_on_the_way_is_refused(run):
    async def scenario():
        async with listening(Guard(read_all, GuardPolicy(body_bytes=10))) as place:
            client = await place.dial()
            chunked = typed_post("Transfer-Encoding: chunked")
            heard = await client.ask(chunked + b"6\r\nabcdef\r\n" + b"6\r\nabcdef\r\n")
            assert (heard.status, heard.code) == (413, "net.body_too_large")

    run(scenario())


def test_an_answer_that_has_begun_is_broken_off_when_the_body_grows_too_large(run, caplog):
    async def scenario():
        async with listening(Guard(answer_first, GuardPolicy(body_bytes=10))) as place:
            client = await place.dial()
            client.say(typed_post("Transfer-Encoding: chunked") + b"20\r\n" + b"x" * 32 + b"\r\n")
            assert (await client.rest()).count(b"HTTP/1.1") == 1

    run(scenario())
    assert not caplog.records


def test_other_kinds_of_calls_are_passed_on_or_left_unanswered():
    reached = []

    async def app(scope, receive, send):
        reached.append(scope["type"])

    async def scenario():
        guard = Guard(app, GuardPolicy())
        for kind in ("lifespan", "websocket"):
            await guard({"type": kind, "state": {LISTENER: ListenerFacts("local")}}, None, None)

    asyncio.run(scenario())
    assert reached == ["lifespan"]
