"""Attacks 8, 9, 10, 18 and 20 on credentials: shown in odd places, twice, too often, too late, or for too much."""

import base64
import re
import select
from collections.abc import Callable, Generator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.e2e.attack_house import EVERY_SCOPE, FORM, House, house, nonsense
from tests.e2e.attack_wire import JSON, Caller, Header, Line, Place, as_json, ask, bearer, written
from thorp.testing.process import until
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import OPEN

MADE_UP = f"thorp_k00000000_{'A' * 43}"
QUIET = b'{"input":{"text":"a b c","pause_ms":10000}}'  # a call that says nothing for long
MARK = b'{"input":{"text":"a","pause_ms":4000}}'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("keys"), THORP_LOGS_LEVEL="debug") as opened:
        opened.expose()
        yield opened


def soon(**more: float) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


def secret_of(credential: str) -> str:
    """What nobody may ever read again; the secret itself may hold underscores."""
    return credential.removeprefix("thorp_").partition("_")[2] or credential


# 8: a key in the address


@pytest.mark.parametrize(
    "query",
    [
        "key={key}",
        "api_key={key}",
        "token={key}",
        "access_token={key}",
        "x={key}",
        "{key}",
        "a=b&Authorization=Bearer%20{key}",
        "x=%74horp{rest}",
        "x[]={key}",
        "q=say+{key}",
    ],
)
def test_A8_a_key_in_the_query_is_refused_on_every_route_and_never_written_down(home: House, query: str) -> None:
    key = home.key("node:read")
    secret = secret_of(key)
    for route in EVERY_ROUTE:
        one = nonsense(route)
        path = f"{one.path.partition('?')[0]}?{query.format(key=key, rest=key.removeprefix('thorp'))}"
        for place in home.places.values():
            answer = ask(place, one.method, path, [bearer(key), *one.kind], one.body)
            assert (answer.status, answer.code) == (400, "net.key_in_query"), path
            assert secret not in answer.all
    assert secret not in home.written()


@pytest.mark.parametrize(
    "path",
    ["/api/v1/keys/{key}", "/api/v1/config/{key}", "/api/v1/call/{key}", "/assets/{key}", "/{key}", "/api/v1/{key}/x"],
)
def test_A8_a_key_in_the_path_opens_nothing_and_is_never_written_down(home: House, path: str) -> None:
    key = home.key("node:read")
    secret = secret_of(key)
    for method in ("GET", "POST", "PUT", "DELETE"):
        for who in ((), (bearer(home.owner_token),)):
            assert ask(home.tcp, method, path.format(key=key), who).status in {400, 401, 403, 404, 405}
    assert secret not in home.written()


def test_A8_credentials_of_refused_and_failing_requests_are_never_written_down(home: House) -> None:
    shown = [home.owner_token, home.session(), home.key("node:read"), MADE_UP, f"thorp_{'x' * 60}"]
    for credential in shown:
        for name, form in FORMS_OF_A_KEY.items():
            ask(home.tcp, "GET", "/api/v1/status", [form(credential), ("Host", "evil.example")])
            with home.tcp.dial() as line:
                line.say(written("GET", "healthz", [form(credential)], None, home.tcp.authority))
                assert line.hear().status == 400, name
    kept = home.written()
    assert not [one for one in shown if secret_of(one) in kept]


# 9: one key, many forms


def basic(user: str, password: str) -> Header:
    return ("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


FORMS_OF_A_KEY: dict[str, Callable[[str], Header]] = {
    "bearer": bearer,
    "bearer in small letters": lambda key: ("authorization", f"bearer {key}"),
    "bearer with spaces": lambda key: ("Authorization", f"  Bearer   {key}  "),
    "no scheme": lambda key: ("Authorization", key),
    "basic": lambda key: basic("anybody", key),
    "basic without user": lambda key: basic("", key),
    "x-api-key": lambda key: ("X-Api-Key", key),
    "cookie": lambda key: ("Cookie", f"thorp_session={key}"),
    "cookie among others": lambda key: ("Cookie", f'a=b; thorp_session="{key}"; c=d'),
}
ENDS_THE_SESSION = {"/api/v1/session", "/plain/leave"}


def holders(home: House) -> dict[str, str]:
    """One credential of each kind that opens something of its own."""
    revoked = home.node.key("node:read")
    assert home.owner("DELETE", f"/api/v1/keys/{revoked['id']}").status == 200
    return {
        "owner": home.owner_token,
        "session": home.session(),
        "revoked": revoked["key"],
        "made up": MADE_UP,
        "broken": "thorp_k0000",
        **{scope: home.key(scope) for scope in ("inference", "node:read", "keys:write", "metrics")},
    }


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A9_one_credential_opens_the_same_in_every_form(home: House, name: str) -> None:
    with Caller(home.places[name]) as caller:
        for who, credential in holders(home).items():
            counts = set(FORMS_OF_A_KEY)
            if who in {"revoked", "made up", "broken"} or (who == "owner" and name == "exposed"):
                counts -= {"cookie", "cookie among others"}  # see the next test
            for route in EVERY_ROUTE:
                if who == "session" and route.path in ENDS_THE_SESSION:
                    continue
                found = {form: nonsense(route).at(caller, FORMS_OF_A_KEY[form](credential)).status for form in counts}
                assert len(set(found.values())) == 1, (who, route.path, found)


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A9_a_dead_cookie_opens_less_than_none(home: House, name: str) -> None:
    """A browser sends it unasked, so it must not lock the login page; and it earns nothing, not even on the socket."""
    dead = holders(home)["revoked"]
    for route in EVERY_ROUTE:
        with_cookie = nonsense(route).alone(home.places[name], ("Cookie", f"thorp_session={dead}"))
        nobody = nonsense(route).alone(home.places["exposed"])
        assert with_cookie.status == nobody.status, route.path


# 10: credentials that contradict each other


def test_A10_two_different_credentials_are_refused_whichever_is_right(home: House) -> None:
    weak, strong = home.key("inference"), home.owner_token
    for first, second in ((weak, strong), (strong, weak), (strong, MADE_UP), (MADE_UP, strong), (strong, "thorp_x")):
        for route in EVERY_ROUTE:
            headers = (bearer(first), ("X-Api-Key", second))
            answer = nonsense(route).alone(home.tcp, *headers)
            assert (answer.status, answer.code) == (400, "access.two_credentials"), route.path


def test_A10_a_cookie_never_outweighs_what_is_shown_on_purpose(home: House) -> None:
    """Any page on this machine can plant a cookie. It must neither widen nor block what a header says."""
    weak, session = home.key("node:read"), home.session()
    for cookie in (session, MADE_UP, "thorp_rubbish", home.key("keys:write")):
        planted = ("Cookie", f"thorp_session={cookie}")
        assert ask(home.tcp, "GET", "/api/v1/status", [bearer(weak), planted]).status == 200
        assert ask(home.tcp, "GET", "/api/v1/keys", [bearer(weak), planted]).status == 403


# 18: what belongs to nobody here


@pytest.mark.parametrize(
    "key_id", ["k0000000a", "o", "s0000000a", "nobody", "..", "%2e%2e%2fkeys", "a" * 64, "k' OR 1=1--"]
)
def test_A18_an_unknown_key_is_not_found_whoever_asks(home: House, key_id: str) -> None:
    for who in (home.owner_token, home.key("keys:write"), home.key(*EVERY_SCOPE)):
        answer = ask(home.tcp, "DELETE", f"/api/v1/keys/{quote(key_id, safe='%')}", [bearer(who)])
        assert answer.status == 404, answer


# Limits of a key


def test_a_key_asks_as_often_as_it_may_and_is_told_when_to_come_back(home: House) -> None:
    key, other = home.key("node:read", rpm=3), home.key("node:read", rpm=3)
    answers = [ask(home.tcp, "GET", "/api/v1/node", [form(key)]) for form in list(FORMS_OF_A_KEY.values())[:5]]

    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]  # whatever form, whatever listener
    assert answers[-1].code == "access.rate_limited"
    assert 1 <= int(answers[-1].get("retry-after") or 0) <= 20
    for place in home.places.values():
        assert ask(place, "GET", "/healthz", [bearer(key)]).status == 429
    assert ask(home.tcp, "GET", "/api/v1/node", [bearer(other)]).status == 200


def test_refused_requests_count_too(home: House) -> None:
    key = home.key("inference", rpm=2)
    statuses = [ask(home.tcp, "GET", "/api/v1/keys", [bearer(key)]).status for _ in range(4)]

    assert statuses == [403, 403, 429, 429]


def test_a_key_is_dead_from_the_moment_it_expires(home: House) -> None:
    key = home.key("node:read", expires=soon(seconds=2))
    with home.tcp.dial() as line:
        assert line.ask("GET", "/api/v1/node", [bearer(key)]).status == 200
        until(lambda: line.ask("GET", "/api/v1/node", [bearer(key)]).status == 401, "the key expires")
        assert line.ask("GET", "/api/v1/node", [bearer(key)]).code == "access.expired_key"


@pytest.mark.parametrize(
    "expires",
    [pytest.param(soon(seconds=-1), id="just now"), "1970-01-01T00:00:00Z", "2030-01-01", "never", "", "9999999999999"],
)
def test_a_key_that_is_dead_already_cannot_be_made(home: House, expires: str) -> None:
    answer = home.owner("POST", "/api/v1/keys", {"name": "late", "expires": expires})

    assert answer.status == 400, answer


def test_a_key_in_a_hurry_does_not_send_a_capability_to_rest_for_everybody(home: House) -> None:
    hasty, body = home.key("node:read"), b'{"input":{"text":"a b","pause_ms":5000}}'
    for _ in range(12):
        headers = [bearer(hasty), JSON, ("Thorp-Deadline-Ms", "1")]
        assert ask(home.tcp, "POST", "/api/v1/call/node.echo", headers, body).status == 408

    answer = home.owner("POST", "/api/v1/call/node.echo", {"input": {"text": "a"}})
    assert answer.status == 200, answer


# What a key may hand on


def test_a_key_cannot_make_a_key_that_opens_more_than_itself(home: House) -> None:
    own = home.node.key("keys:write", "node:read", models=["a"], rpm=100, expires=soon(hours=1))["key"]
    fits = {"name": "x", "scopes": ["node:read"], "models": ["a"], "rpm": 100, "expires": soon(minutes=30)}
    wider: list[dict[str, object]] = [
        *({"scopes": [scope]} for scope in EVERY_SCOPE if scope not in {"keys:write", "node:read"}),
        {"scopes": ["node:read", "metrics"]},
        {"models": []},
        {"models": ["a", "b"]},
        {"rpm": None},
        {"rpm": 101},
        {"expires": None},
        {"expires": soon(hours=2)},
    ]
    for change in wider:
        answer = ask(home.tcp, "POST", "/api/v1/keys", [bearer(own), JSON], as_json(fits | change))
        assert (answer.status, answer.code) == (403, "access.wider_than_yours"), change
    for missing in ("models", "rpm", "expires"):
        asked = {name: value for name, value in fits.items() if name != missing}
        answer = ask(home.tcp, "POST", "/api/v1/keys", [bearer(own), JSON], as_json(asked))
        assert (answer.status, answer.code) == (403, "access.wider_than_yours"), missing


def test_a_key_cannot_escape_its_own_limit_by_making_more_keys(home: House) -> None:
    own = home.key("keys:write", "node:read", rpm=20)
    made = [
        ask(
            home.tcp,
            "POST",
            "/api/v1/keys",
            [bearer(own), JSON],
            as_json({"name": "x", "scopes": ["node:read"], "rpm": 20}),
        )
        for _ in range(3)
    ]
    keys = [own, *(answer.json["key"] for answer in made if answer.status == 201)]
    passed = sum(ask(home.tcp, "GET", "/api/v1/node", [bearer(key)]).status == 200 for key in keys for _ in range(25))

    assert passed <= 20


def test_what_a_key_made_dies_with_it(home: House) -> None:
    own = home.node.key("keys:write", "node:read")
    body = as_json({"name": "child", "scopes": ["keys:write", "node:read"]})
    child = ask(home.tcp, "POST", "/api/v1/keys", [bearer(own["key"]), JSON], body).json
    grandchild = ask(home.tcp, "POST", "/api/v1/keys", [bearer(child["key"]), JSON], body).json
    home.owner("DELETE", f"/api/v1/keys/{own['id']}")

    for key in (own, child, grandchild):
        assert ask(home.tcp, "GET", "/api/v1/node", [bearer(key["key"])]).status == 401


OWNERS = ("node.stop", "login.code", "exposure.open", "exposure.close")


def test_a_key_with_every_scope_is_still_not_the_owner(home: House) -> None:
    key = home.key(*EVERY_SCOPE)
    for name in OWNERS:
        assert ask(home.tcp, "POST", f"/api/v1/call/{name}", [bearer(key), JSON], b"{}").status == 403, name
    reach = ("hosts", "expose_host", "expose_port", "expose_plain", "open_inference", "host")
    for setting, value in zip(reach, (["evil.example"], "127.0.0.1", 1, True, False, "127.0.0.2"), strict=True):
        path = f"/api/v1/config/local.{setting}"
        assert ask(home.tcp, "PUT", path, [bearer(key), JSON], as_json({"value": value})).status == 403, setting
        assert ask(home.tcp, "DELETE", path, [bearer(key)]).status == 403, setting


# 20: the end of a credential is the end of everything that runs on it


def opened(place: Place, credential: str, stack: ExitStack) -> list[Line]:
    """A stream of changes and a streamed call, both open and both silent."""
    stream, call = stack.enter_context(place.dial()), stack.enter_context(place.dial())
    shown = (bearer(credential), ("Accept", "text/event-stream"))
    assert stream.ask("GET", "/api/v1/stream", shown).streams
    assert stream.take()  # the snapshot
    assert call.ask("POST", "/api/v1/call/node.echo", (*shown, JSON), QUIET).streams
    return [stream, call]


def goes_on(home: House, stream: Line) -> bool:
    """Whether a stream of changes still hears of one."""
    home.key("inference")
    return bool(stream.take())


def check_cut(home: House, lines: list[Line]) -> None:
    """Ended by the node at once, not when it next had something to say, and so that no part passes for the whole."""
    with home.unix.dial() as mark:
        mark.say(written("POST", "/api/v1/call/node.echo", [JSON], MARK, home.unix.authority))
        for line in lines:
            assert not line.rest().endswith(b"0\r\n\r\n")
        assert not select.select([mark.socket], [], [], 0)[0], "a call that began afterwards was over before"


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A20_a_revoked_key_is_dead_at_once_and_its_streams_are_cut(home: House, name: str) -> None:
    place, key, other = home.places[name], home.node.key("node:read"), home.key("node:read")
    with ExitStack() as stack:
        cut, spared = opened(place, key["key"], stack), opened(place, other, stack)
        assert home.owner("DELETE", f"/api/v1/keys/{key['id']}").status == 200
        answer = ask(place, "GET", "/api/v1/node", [bearer(key["key"])])
        assert (answer.status, answer.code) == (401, "access.revoked_key")
        check_cut(home, cut)
        assert goes_on(home, spared[0])


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A20_an_ended_session_is_dead_at_once_and_its_streams_are_cut(home: House, name: str) -> None:
    place, session, other = home.places[name], home.session(), home.session()
    with ExitStack() as stack:
        cut, spared = opened(place, session, stack), opened(place, other, stack)
        assert ask(place, "DELETE", "/api/v1/session", [bearer(session)]).status == 204
        answer = ask(place, "GET", "/api/v1/node", [bearer(session)])
        assert (answer.status, answer.code) == (401, "access.session_over")
        check_cut(home, cut)
        assert goes_on(home, spared[0])


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A20_an_expired_key_is_dead_at_once_and_its_streams_are_cut(home: House, name: str) -> None:
    key = home.key("node:read", expires=soon(seconds=1.5))
    with ExitStack() as stack:
        check_cut(home, opened(home.places[name], key, stack))
        answer = ask(home.places[name], "GET", "/api/v1/node", [bearer(key)])
        assert (answer.status, answer.code) == (401, "access.expired_key")


def test_A20_leaving_the_plain_pages_ends_the_session_too(home: House) -> None:
    session = home.session()
    with ExitStack() as stack:
        cut = opened(home.tcp, session, stack)
        answer = ask(home.tcp, "POST", "/plain/leave", [("Cookie", f"thorp_session={session}")])
        assert answer.status == 303
        check_cut(home, cut)
        assert ask(home.tcp, "GET", "/api/v1/node", [bearer(session)]).status == 401


def test_A20_the_login_of_the_plain_pages_is_dead_once_left_and_opens_nothing_else_before(home: House) -> None:
    home.session()
    code = home.owner("POST", "/api/v1/login/codes").json["code"]
    signed_in = ask(home.tcp, "POST", "/plain/claim", [FORM], f"code={code}".encode())
    cookie = ("Cookie", (signed_in.get("set-cookie") or "").partition(";")[0])
    for route in EVERY_ROUTE:
        if route.floor != OPEN and not route.path.startswith("/plain/"):
            assert nonsense(route).alone(home.tcp, cookie).status == 401, route.path

    assert ask(home.tcp, "GET", "/plain/status", [cookie]).status == 200
    assert ask(home.tcp, "POST", "/plain/leave", [cookie]).status == 303
    assert ask(home.tcp, "GET", "/plain/status", [cookie]).status == 401


@pytest.mark.parametrize("victim", ["", "o", "k0000000a"])
def test_A20_nobody_ends_calls_that_do_not_run_on_the_key_they_revoke(home: House, victim: str) -> None:
    """The owner's own calls run on no key at all; a key that may revoke keys must not reach them."""
    admin = home.key("keys:write")
    with ExitStack() as stack:
        by_socket = stack.enter_context(home.unix.dial())
        assert by_socket.ask("GET", "/api/v1/stream").status == 200
        assert by_socket.take()
        running = [by_socket, *opened(home.tcp, home.owner_token, stack)]
        body = as_json({"input": {"id": victim}})
        assert ask(home.tcp, "POST", "/api/v1/call/keys.revoke", [bearer(admin), JSON], body).status in {400, 404}
        assert all(goes_on(home, line) for line in running[:2])


# Names


HOSTILE_NAMES = [
    "a\r\nSet-Cookie: x=y",
    "a\nb",
    "a\x00b",
    "\x1b[2Ja",
    "a\x9b31mb",
    "a\u2028b",
    "a\u202eb",
    " a",
    "a\t",
    "",
    "a" * 65,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_key_has_a_name_that_can_be_shown(home: House, name: str) -> None:
    assert home.owner("POST", "/api/v1/keys", {"name": name}).status == 400


def test_markup_in_a_name_is_only_text(home: House) -> None:
    name = "</td><script>alert(1)</script>\"';--{}%s"
    assert home.owner("POST", "/api/v1/keys", {"name": name}).status == 201
    listed = home.owner("GET", "/api/v1/keys")

    assert listed.json["keys"][-1]["name"] == name
    assert listed.get("content-type") == "application/json"
    assert re.search(re.escape(name), home.node.thorp("keys", "list").stdout)
