"""What the node says: nothing about the machine to strangers, nothing that a page or a terminal would obey."""

import json
import re
import resource
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.attack_house import FORM, FORMS, READS, House, house, knock, nonsense
from tests.e2e.attack_wire import JSON, Answer, Caller, Header, as_json, ask, bearer
from thorp.web.routes import EVERY_ROUTE

TELLTALE = re.compile(
    r"Traceback|site-packages|File \"|\.py\b|/root|/home/|/tmp/|0x[0-9a-f]{6,}|sqlite3?\.|pydantic|starlette"
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ONE_BYTE = "\x9b2J\x9d0;owned\x9c"  # forms of escape sequences
REFUSED = ("\x1b[2J", "\x07", "\x00", "a\nb", "\x7f", ONE_BYTE)
RUNS_BACK = "\u202egnp.exe\u2028\u2066end"  # letters that turn the line around; a name may have them
NASTY = ONE_BYTE + RUNS_BACK


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with house(tmp_path_factory.mktemp("texts")) as opened:
        opened.expose()
        yield opened


def check_discreet(answer: Answer, home: House) -> None:
    for told in (answer.text, "\n".join(value for _, value in answer.headers)):
        assert str(home.node.home) not in told
        assert home.node.home.parent.name not in told
        assert not TELLTALE.search(told), told
    if answer.get("content-type") == "application/json" and answer.status >= 400:
        error = answer.json["error"]
        assert set(error) == {"code", "fault", "message", "details"}
        assert answer.status != 500, error


ODD_PATHS = (
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "%00",
    "a%0d%0aSet-Cookie:%20x=y",
    "%ff%fe",
    "%c0%ae%c0%ae/",
    "a" * 4000,
    "{}",
    "%",
    "\xe4",
    "..;/",
    "thorp.db",
    "con",
    "~root",
    "node.echo@99999.99999",
    "node.echo@-1",
    "node..echo",
    "__class__",
)
ODD_BODIES: tuple[object, ...] = (
    None,
    1,
    "x",
    [],
    {"input": None},
    {"input": {"text": "\x00\ud83d"}},
    {"name": {}, "scopes": "inference"},
    {"scopes": ["../../etc"], "name": "a"},
    {"name": "a", "models": ["\x1b"], "rpm": -1, "expires": "0000-00-00T00:00:00Z"},
    {"name": "a", "rpm": 10**18},
    {"value": {"a": [1, {"b": None}]}},
    {"value": "x" * 100_000},
    {"host": "/etc/passwd", "port": -1},
    {"host": "\x00", "port": 1},
    {"id": "/etc/passwd"},
    {"key": "/etc/passwd", "value": 1},
    {"code": ["a"]},
    {"params": {"model": "/etc/passwd"}},
)
ODD_HEADERS: tuple[Header, ...] = (
    ("Thorp-Deadline-Ms", "-1"),
    ("Thorp-Deadline-Ms", "9" * 400),
    ("Last-Event-ID", "\xff-" + "9" * 400),
    ("Accept", "text/event-stream" * 100),
    ("If-None-Match", "\xff"),
    ("X-Request-Id", "\x1b[31m"),
    ("Range", "bytes=0-18446744073709551615"),
    ("Expect", "100-continue"),
    ("Content-Type", "application/json; charset=utf-7"),
)


def odd_requests() -> Iterator[tuple[str, str, list[Header], bytes | None]]:
    for route in EVERY_ROUTE:
        one = knock(route)
        kind = FORM if route.path in FORMS else JSON
        for odd in ODD_PATHS:
            path = (
                re.sub(r"{\w+(?::path)?}", lambda _, odd=odd: odd, route.path)
                if "{" in route.path
                else f"{one.path}/{odd}"
            )
            yield one.method, path, list(one.kind), one.body
            yield one.method, f"{one.path}?{odd}={odd}", list(one.kind), one.body
        if one.method not in READS:
            for body in ODD_BODIES:
                yield one.method, one.path, [kind], json.dumps(body).encode()
            yield one.method, one.path, [kind], b"\xff\xfe{"
        for header in ODD_HEADERS:
            yield one.method, one.path, [header, *(one.kind if header[0] != "Content-Type" else ())], one.body


@pytest.mark.parametrize("scope", [None, "node:read", "keys:write", "config:write"])
def test_odd_requests_are_told_nothing_about_the_machine(home: House, scope: str | None) -> None:
    shown = [bearer(home.key(scope))] if scope else []
    place = home.tcp if scope else home.places["exposed"]
    with Caller(place) as caller:
        for method, path, headers, body in odd_requests():
            if method == "PUT" and scope == "config:write" and "logs" in path:
                continue
            check_discreet(caller.ask(method, path, [*shown, *headers], body), home)
    home.owner("DELETE", "/api/v1/config/node.name")
    assert "Traceback" not in home.written()


def test_a_reader_of_the_status_does_not_learn_where_the_home_lies(home: House) -> None:
    reader = bearer(home.key("node:read"))
    for path in ("/api/v1/status", "/api/v1/node", "/api/v1/capabilities", "/plain/status"):
        answer = ask(home.places["exposed"], "GET", path, [reader])
        assert answer.status == 200
        check_discreet(answer, home)
    with home.tcp.dial() as line:
        assert line.ask("GET", "/api/v1/stream", [reader]).status == 200
        assert str(home.node.home) not in line.take().decode()


def test_a_broken_settings_file_is_told_without_its_place(home: House) -> None:
    admin = bearer(home.key("config:write"))
    file = home.node.paths.config_file
    before = file.read_text() if file.exists() else ""
    try:
        for text in ("[local\n", 'local = "a"\n', "[local]\nprot = 1\nhots = 2\n", "[local]\nport = 99999\n"):
            file.write_text(text)
            for method, path in (("POST", "/api/v1/config/reload"), ("PUT", "/api/v1/config/node.name")):
                answer = ask(home.tcp, method, path, [admin, JSON], as_json({"value": "x"} if method == "PUT" else {}))
                assert 400 <= answer.status < 500, answer
                check_discreet(answer, home)
        file.unlink()
        file.mkdir()
        answer = ask(home.tcp, "POST", "/api/v1/config/reload", [admin, JSON], b"{}")
        assert answer.status >= 400
        check_discreet(answer, home)
    finally:
        if file.is_dir():
            file.rmdir()
        file.write_text(before)


def test_a_full_disk_is_told_to_strangers_without_its_place(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        code, key = str(home.node.ready.code), home.key("keys:write")
        soft, hard = resource.prlimit(home.node.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(home.node.process.pid, resource.RLIMIT_FSIZE, (0, hard))  # every write fails from here on
        answers = [
            ask(home.tcp, "POST", "/api/v1/claim", [JSON], as_json({"code": code})),
            ask(
                home.tcp, "POST", "/api/v1/keys", [bearer(key), JSON], as_json({"name": "x", "scopes": ["keys:write"]})
            ),
        ]
        resource.prlimit(home.node.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        for answer in answers:
            assert answer.status >= 500
            assert str(home.node.home) not in answer.text
            assert "Traceback" not in answer.text
        fresh = home.owner("POST", "/api/v1/login/codes").json["code"]
        assert ask(home.tcp, "POST", "/api/v1/claim", [JSON], as_json({"code": fresh})).status == 201


def test_what_others_wrote_moves_no_cursor_in_a_terminal(home: House) -> None:
    for refused in REFUSED:
        assert home.owner("PUT", "/api/v1/config/node.name", {"value": refused}).status == 400
    assert home.owner("PUT", "/api/v1/config/node.name", {"value": RUNS_BACK}).status == 200
    home.owner("POST", "/api/v1/keys", {"name": "<b>&\u00e4 \u202f"})
    for path in (NASTY, *REFUSED):
        ask(home.tcp, "GET", f"/{quote(path)}", [("User-Agent", "\x1b[31m")])
    try:
        commands = (
            ("status",),
            ("status", "--json"),
            ("keys", "list"),
            ("keys", "list", "--json"),
            ("config", "show"),
            ("config", "show", "--json"),
            ("config", "get", "node.name"),
            ("keys", "revoke", f"\x1b[2J{NASTY}", "--yes"),
            ("call", "node.info"),
            ("call", f"node.\x1b[2J{NASTY}"),
        )
        for words in commands:
            said = home.node.thorp(*words)
            assert not CONTROL.search(said.stdout + said.stderr), (words, said)
        assert json.loads(home.node.thorp("status", "--json").stdout)["node"]["name"] == RUNS_BACK
        assert not CONTROL.search(home.written())
    finally:
        home.owner("DELETE", "/api/v1/config/node.name")


def test_a_name_breaks_out_of_no_line_of_the_log(home: House) -> None:
    forged = '\r\n{"level":"error","message":"forged"}\n12:00:00 error  net  forged'
    home.owner("PUT", "/api/v1/config/node.name", {"value": forged})
    ask(home.tcp, "GET", f"/{quote(forged)}")
    ask(home.tcp, "GET", "/api/v1/status", [("X-Request-Id", "x%0aforged")])
    home.owner("DELETE", "/api/v1/config/node.name")

    assert not [line for line in home.node.log() if line["message"] == "forged"]
    assert not re.search(r"^12:00:00 error", home.written(), re.MULTILINE)


def test_no_answer_puts_what_was_asked_into_its_headers(home: House) -> None:
    for path in ("/a%0d%0aX-Evil:%201", "/plain/x%0d%0aX-Evil:%201", "/api/v1/keys%0d%0aX-Evil:%201"):
        for method in ("GET", "POST", "PATCH"):
            answer = ask(home.tcp, method, path, [("X-Request-Id", "evil"), bearer(home.owner_token)])
            assert answer.get("x-evil") is None
            assert answer.get("x-request-id") == "evil"


def test_assets_are_a_list_and_no_folder(home: House) -> None:
    for path in (
        "/assets/../../../etc/passwd",
        "/assets/..%2f..%2findex.html",
        "/assets/%2e%2e/index.html",
        "/assets/....//index.html",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/index.html%00.js",
        "/assets/.stamp",
        "/.stamp",
        "/index.html",
        "//etc/passwd",
        "/./index.html",
    ):
        answer = ask(home.tcp, "GET", path)
        assert answer.status == 404, path
        assert "root:" not in answer.text


MARKUP = "<script>alert(1)</script>\"'`</title></main>"


def test_markup_is_text_on_the_plain_pages(home: House) -> None:
    home.owner("PUT", "/api/v1/config/node.name", {"value": MARKUP})
    session = ("Cookie", f"thorp_session={home.session()}")
    status = ask(home.tcp, "GET", "/plain/status", [session])
    refused = ask(home.tcp, "POST", "/plain/claim", [FORM], b"code=" + quote(MARKUP).encode())
    home.owner("DELETE", "/api/v1/config/node.name")

    assert status.status == 200
    assert "&lt;script&gt;" in status.text
    for page in (status, refused, *(nonsense(route).alone(home.tcp, session) for route in EVERY_ROUTE)):
        assert "<script>alert" not in page.text or page.get("content-type") == "application/json"
