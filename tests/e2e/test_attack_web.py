"""Attacks 1 to 7: what a web page of somebody else could make a browser send.

Here the attacker even holds the owner's token, so that nothing but the guards stands in the way.
"""

from collections.abc import Generator, Mapping

import pytest

from tests.e2e.attack_house import FORM, FORMS, NOWHERE, WRONG_METHOD, House, every_knock, house, knock, nonsense
from tests.e2e.attack_wire import JSON, Answer, Caller, Header, Place, ask, written
from thorp.web.routes import EVERY_ROUTE

PLACES = ("local", "socket", "exposed")
MISDIRECTED = (421, "net.misdirected")
CROSS_ORIGIN = (403, "net.cross_origin")
MEDIA_TYPE = (415, "net.unsupported_body")
PAGES = {"/", *(route.path for route in EVERY_ROUTE if route.path.startswith("/plain/"))}
ALLOWANCES = ("access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("web")) as opened:
        opened.expose()
        yield opened


@pytest.fixture
def unmoved(home: House) -> Generator[House]:
    """The house, which must be the same after the attack as before."""
    home.master(home.places["exposed"])  # the key it makes is no part of the attack
    before = home.state()
    yield home
    assert home.state() == before


def storm(home: House, place: Place, *headers: Header) -> Mapping[str, Answer]:
    """What every route answers to these headers beside the strongest credential."""
    master = home.master(place)
    with Caller(place) as caller:
        return {str(one): one.at(caller, *master, *headers) for one in every_knock()}


def refusals(answers: Mapping[str, Answer]) -> set[tuple[int, str]]:
    return {(answer.status, answer.code) for answer in answers.values()}


FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example:{port}",
    "evil-localhost",
    "localhost.",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "127.0.0.2",
    "[::ffff:7f00:2]",
    "*",
    "localhost:80:{port}",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost,evil.example",
    "localhost/evil.example",
    "localhost evil.example",
    "http://localhost",
    "l\u00f6calhost",
    "",
)


@pytest.mark.parametrize("name", PLACES)
def test_A1_A2_a_foreign_host_is_misdirected_on_every_route(unmoved: House, name: str) -> None:
    place = unmoved.places[name]
    for host in FOREIGN_HOSTS:
        answers = storm(unmoved, place, ("Host", host.format(port=place.port)))
        assert refusals(answers) == {MISDIRECTED}, host


def test_A1_a_name_that_only_exposed_nodes_answer_to_is_foreign_at_home(unmoved: House) -> None:
    for host in ("thorp.local", "evil.local"):
        assert refusals(storm(unmoved, unmoved.tcp, ("Host", host))) == {MISDIRECTED}


def test_A2_a_rebound_name_is_refused_though_page_and_node_look_like_one_origin(unmoved: House) -> None:
    """The page came from evil.example, whose name now means this machine: Host and Origin agree with each other."""
    evil = f"evil.example:{unmoved.tcp.port}"
    same_origin = (("Origin", f"http://{evil}"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"))

    assert refusals(storm(unmoved, unmoved.tcp, ("Host", evil), *same_origin)) == {MISDIRECTED}


@pytest.mark.parametrize("name", PLACES)
def test_A1_the_names_of_the_node_are_answered(home: House, name: str) -> None:
    place = home.places[name]
    own = ["localhost", "LOCALHOST:1"] if place.path else ["localhost", "LocalHost:1", "127.0.0.1", place.authority]
    for host in own:
        assert ask(place, "GET", "/healthz", [("Host", host)]).status == 200, host


def foreign_origins(place: Place) -> list[str]:
    own = place.authority
    return [
        "null",
        "file://",
        "file:///srv/evil.html",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "moz-extension://11111111-2222-3333-4444-555555555555",
        "http://evil.example",
        f"http://evil.example:{place.port}",
        "http://localhost",
        "http://127.0.0.1",
        f"http://localhost:{place.port + 1}",
        f"http://127.0.0.1:{place.port + 1}",
        f"http://localhost:{place.port}",  # the node itself, but by another name than this request's Host
        f"{'http' if place.tls else 'https'}://{own}",
        f"ws://{own}",
        f"http://{own}.evil.example",
        f"http://{own}@evil.example",
        f"http://{own}/",
        f"http://{own} http://{own}",
        f"http:{own}",
        own,
        "*",
        "",
    ]


@pytest.mark.parametrize("name", PLACES)
def test_A3_a_foreign_origin_is_refused_on_every_route(unmoved: House, name: str) -> None:
    place = unmoved.places[name]
    for origin in foreign_origins(place):
        if place.path and origin == "http://localhost":
            continue  # covered by the next test
        assert refusals(storm(unmoved, place, ("Origin", origin))) == {CROSS_ORIGIN}, origin


def test_A3_no_page_at_all_belongs_to_the_unix_socket(unmoved: House) -> None:
    for origin in ("http://localhost", unmoved.tcp.origin):
        assert refusals(storm(unmoved, unmoved.unix, ("Origin", origin))) == {CROSS_ORIGIN}


@pytest.mark.parametrize("name", ["local", "exposed"])
def test_A3_a_page_of_the_node_itself_passes(home: House, name: str) -> None:
    place = home.places[name]
    own = (("Origin", place.origin), ("Sec-Fetch-Site", "same-origin"))
    for route in EVERY_ROUTE:
        assert nonsense(route).alone(place, *home.master(place), *own).code != "net.cross_origin", route.path


@pytest.mark.parametrize("site", ["cross-site", "same-site", "rubbish"])
def test_A3_what_a_browser_calls_foreign_is_refused_without_any_origin(unmoved: House, site: str) -> None:
    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("no-cors", "script"), ("navigate", "iframe")):
        headers = (("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest))
        assert refusals(storm(unmoved, unmoved.tcp, *headers)) == {CROSS_ORIGIN}, (mode, dest)


def test_A3_from_elsewhere_one_can_only_open_a_page(unmoved: House) -> None:
    link = (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"))
    for where, answer in storm(unmoved, unmoved.tcp, *link).items():
        method, path = where.split(" ")
        if method != "GET" or path not in PAGES:
            assert (answer.status, answer.code) == CROSS_ORIGIN, where
        else:
            assert answer.status == 200, where


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", FORM[1], "text/json", "", None])
def test_A4_a_body_a_page_can_send_without_asking_is_refused(unmoved: House, kind: str | None) -> None:
    """No Origin, no Sec-Fetch: an old browser. What is left is the type of the body."""
    announced = () if kind is None else (("Content-Type", kind),)
    for route in EVERY_ROUTE:
        one = knock(route)
        if one.body is None or (route.path in FORMS and kind == FORM[1]):
            continue
        for place in (unmoved.tcp, unmoved.unix):
            answer = ask(place, one.method, one.path, (*unmoved.master(place), *announced), one.body)
            assert (answer.status, answer.code) == MEDIA_TYPE, one


def test_A4_a_form_of_another_site_is_refused_where_forms_are_taken(unmoved: House) -> None:
    for path in FORMS:
        for origin in ("null", "http://evil.example", f"http://127.0.0.1:{unmoved.tcp.port + 1}"):
            headers = (*unmoved.master(unmoved.tcp), FORM, ("Origin", origin))
            answer = ask(unmoved.tcp, "POST", path, headers, b"code=00000000")
            assert (answer.status, answer.code) == CROSS_ORIGIN, (path, origin)


@pytest.mark.parametrize("name", PLACES)
def test_A5_no_route_becomes_a_websocket(unmoved: House, name: str) -> None:
    place = unmoved.places[name]
    for origin in ("http://evil.example", place.origin):
        for route in EVERY_ROUTE:
            one = knock(route)
            upgrade = (
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Origin", origin),
            )
            answer = ask(place, "GET", one.path, (*unmoved.master(place), *upgrade))
            assert (answer.status, answer.code) == (400, "net.upgrade_refused"), one


def test_A5_a_stream_is_not_opened_for_a_foreign_page(unmoved: House) -> None:
    asks = ("GET", "/api/v1/stream", None), ("POST", "/api/v1/call/node.echo", b'{"input":{"text":"a b"}}')
    for method, path, body in asks:
        for foreign in (("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")):
            headers = (*unmoved.master(unmoved.tcp), foreign, ("Accept", "text/event-stream"), JSON)
            answer = ask(unmoved.tcp, method, path, headers, body)
            assert (answer.status, answer.code) == CROSS_ORIGIN
            assert "event-stream" not in (answer.get("content-type") or "")


@pytest.mark.parametrize("name", PLACES)
def test_A6_no_preflight_is_ever_granted(unmoved: House, name: str) -> None:
    place = unmoved.places[name]
    for origin in ("http://evil.example", "null", place.origin):
        with Caller(place) as caller:
            for route in EVERY_ROUTE:
                wish = (
                    ("Origin", origin),
                    ("Access-Control-Request-Method", route.method),
                    ("Access-Control-Request-Headers", "authorization,content-type"),
                    ("Access-Control-Request-Private-Network", "true"),
                )
                answer = caller.ask("OPTIONS", knock(route).path, (*unmoved.master(place), *wish))
                assert (answer.status, answer.code) == CROSS_ORIGIN, route.path


def test_A6_no_answer_lets_another_origin_read_it(unmoved: House) -> None:
    everything = [
        *storm(unmoved, unmoved.tcp, ("Origin", "http://evil.example")).values(),
        *(nonsense(route).alone(unmoved.tcp, *unmoved.master(unmoved.tcp)) for route in EVERY_ROUTE),
        *(nonsense(route).alone(unmoved.tcp, ("Origin", unmoved.tcp.origin)) for route in EVERY_ROUTE),
    ]
    for answer in everything:
        assert not [name for name, _ in answer.headers if name.startswith("access-control-")]
        assert not {name for name, _ in answer.headers} & {"x-powered-by", "server"}


def check_armour(answer: Answer) -> None:
    """What keeps an answer from being framed, sniffed and embedded."""
    policy = answer.get("content-security-policy") or ""
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
    assert "unsafe-" not in policy
    assert answer.get("x-frame-options") == "DENY"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("referrer-policy") in {"no-referrer", "same-origin"}
    assert answer.get("cross-origin-resource-policy") == "same-origin"
    assert answer.get("cross-origin-opener-policy") == "same-origin"


@pytest.mark.parametrize("name", PLACES)
def test_A7_every_answer_of_every_route_refuses_to_be_framed(unmoved: House, name: str) -> None:
    place = unmoved.places[name]
    for who in (
        unmoved.master(place),
        (),
        (("Host", "evil.example"),),
        (("Origin", "null"),),
        (("X-Api-Key", "thorp_"),),
    ):
        for one in (*map(nonsense, EVERY_ROUTE), NOWHERE, WRONG_METHOD):
            check_armour(one.alone(place, *who))


BROKEN = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\r\n\r\n",
    "a tunnel": b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a strange method": b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long address": b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "long headers": b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 40_000 + b"\r\n\r\n",
    "a bad length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("why", BROKEN)
def test_A7_refusals_below_the_application_refuse_to_be_framed_too(home: House, why: str) -> None:
    for place in home.places.values():
        with place.dial() as line:
            line.say(BROKEN[why])
            answer = line.hear()
            assert 400 <= answer.status < 600
            assert answer.code.startswith("net.")
            check_armour(answer)


def test_A7_a_body_cut_short_by_its_limit_refuses_to_be_framed_too(unmoved: House) -> None:
    with unmoved.tcp.dial() as line:
        headers = (*unmoved.master(unmoved.tcp), JSON, ("Content-Length", str(1 << 40)))
        line.say(written("POST", "/api/v1/keys", headers, None, unmoved.tcp.authority))
        answer = line.hear()
        assert answer.status == 413
        check_armour(answer)
