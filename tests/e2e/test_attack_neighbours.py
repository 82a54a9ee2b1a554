"""Who shares the machine with the owner: other users, and proxies that pass on what strangers send."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.attack_house import FORM, House, house, nonsense
from tests.e2e.attack_proxy import Style, proxy
from tests.e2e.attack_stranger import NOBODY, SOMEBODY, WAYS, Stranger, stranger
from tests.e2e.attack_wire import JSON, Answer, Place, as_json, ask, bearer, written
from thorp.testing.process import DidNotStartError, free_port, run_thorp
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import OPEN, RawRoute, Route

PAGE = (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"))


def is_open(route: Route) -> bool:
    return isinstance(route, RawRoute) and route.floor == OPEN


@pytest.fixture(scope="module")
def home() -> Generator[House]:
    """A node in a careless place: everybody may enter the folders above it, and the umask forbids nothing."""
    before = os.umask(0)
    try:
        with TemporaryDirectory(prefix="thorp-") as folder:
            Path(folder).chmod(0o755)
            (Path(folder) / "n").mkdir(0o755)
            with house(Path(folder)) as opened:
                opened.expose()
                opened.session()
                opened.owner("PUT", "/api/v1/config/node.name", {"value": "attic"})
                yield opened
    finally:
        os.umask(before)


@pytest.fixture(params=[SOMEBODY, NOBODY])
def other(request: pytest.FixtureRequest) -> Iterator[Stranger]:
    with stranger(request.param) as found:
        yield found


def answers_to(other: Stranger, place: Place) -> list[tuple[Route, Answer]]:
    """What every route answers to a stranger who shows nothing."""
    asked = [nonsense(route) for route in EVERY_ROUTE]
    found = other.ask(place, [(one.method, one.path, list(one.kind), one.body) for one in asked])
    return list(zip(EVERY_ROUTE, found, strict=True))


def test_another_user_of_the_machine_is_nobody(home: House, other: Stranger) -> None:
    before = home.state()
    for route, answer in answers_to(other, home.tcp):
        if not is_open(route) or route.path == "/api/v1/call/{name}":
            assert answer.status == 401, route.path
    assert home.state() == before


def test_another_user_is_nobody_on_the_exposed_listener_too(home: House, other: Stranger) -> None:
    assert home.exposed
    for route, answer in answers_to(other, home.exposed):
        if not is_open(route) or route.path == "/api/v1/call/{name}":
            assert answer.status == 401, route.path


def test_another_user_opens_neither_the_socket_nor_any_file_of_the_node(home: House, other: Stranger) -> None:
    assert other.connect(home.node.paths.socket) == "PermissionError"
    inside = sorted(home.node.home.rglob("*"))
    assert {path.name for path in inside} >= {"node.key", "thorp.db", "owner.token", "api.sock", "config.toml"}
    for path in inside:
        assert other.read(path) == "PermissionError", path


def test_no_folder_or_file_of_the_node_relies_on_the_ones_above_it(home: House) -> None:
    for path in home.node.home.rglob("*"):
        assert not path.lstat().st_mode & 0o077, f"{path} {path.lstat().st_mode:o}"


def test_what_everybody_sees_of_the_process_holds_no_secret(home: House, other: Stranger) -> None:
    process = Path(f"/proc/{home.node.process.pid}")
    for hidden in ("environ", "fd", "maps", "mem"):
        assert other.read(process / hidden) == "PermissionError", hidden
    shown = other.text(process / "cmdline") + other.text(process / "status") + other.text(process / "comm")
    for secret in (home.owner_token, str(home.node.ready.code), "thorp_"):
        assert secret not in shown


def test_the_environment_of_the_node_holds_no_secret_either(home: House) -> None:
    environment = Path(f"/proc/{home.node.process.pid}/environ").read_text()

    assert "thorp_" not in environment


def test_another_user_with_a_key_has_the_rights_of_the_key(home: House, other: Stranger) -> None:
    key = home.key("node:read")
    answers = other.ask(
        home.tcp, [("GET", path, [bearer(key)], None) for path in ("/api/v1/status", "/api/v1/keys", "/version")]
    )

    assert [answer.status for answer in answers] == [200, 403, 200]


def test_a_code_that_another_user_got_to_see_is_worth_nothing_to_them(home: House, other: Stranger) -> None:
    """`thorp open` hands it to a browser as an argument, and everybody may read the arguments of a process."""
    code = home.owner("POST", "/api/v1/login/codes").json["code"]
    form = [
        ("POST", "/plain/claim", [FORM], f"code={code}".encode()),
        ("POST", "/api/v1/claim", [JSON], as_json({"code": code})),
        ("POST", "/api/v1/login", [JSON], as_json({"code": code})),
    ]
    marked = [(method, path, [*headers, ("Via", "1.1 proxy")], body) for method, path, headers, body in form]

    assert home.exposed
    for place in (home.tcp, home.exposed):
        assert {answer.status for answer in other.ask(place, [*form, *marked])} <= {401, 409}  # claimed already
    assert ask(home.tcp, "POST", "/api/v1/login", [JSON], as_json({"code": code})).status == 201  # nor was it spent


def test_who_hangs_up_before_the_node_can_ask_the_kernel_spends_no_code(home: House, other: Stranger) -> None:
    """Of a connection whose client has ended its half the kernel names nobody."""
    code = home.owner("POST", "/api/v1/login/codes").json["code"]
    home.node.process.send_signal(signal.SIGSTOP)
    try:
        login = written("POST", "/api/v1/login", [JSON], as_json({"code": code}), home.tcp.authority)
        other.say(home.tcp, login, shut=True)
    finally:
        home.node.process.send_signal(signal.SIGCONT)

    assert b"token" not in other.hear()
    assert ask(home.tcp, "POST", "/api/v1/login", [JSON], as_json({"code": code})).status == 201


@pytest.mark.parametrize("way", WAYS)
def test_a_code_is_worth_nothing_to_another_user_however_they_connect(home: House, other: Stranger, way: str) -> None:
    code = home.owner("POST", "/api/v1/login/codes").json["code"]
    closing = [JSON, ("Connection", "close")]
    login = written("POST", "/api/v1/login", closing, as_json({"code": code}), home.tcp.authority)

    other.say(home.tcp, login, way)
    assert other.hear().startswith(b"HTTP/1.1 401 ")
    assert ask(home.tcp, "POST", "/api/v1/login", [JSON], as_json({"code": code})).status == 201


def test_another_user_cannot_burn_the_owners_codes(home: House, other: Stranger) -> None:
    code = home.owner("POST", "/api/v1/login/codes").json["code"]
    guess = ("POST", "/api/v1/login", [JSON], as_json({"code": "00000000"}))

    assert home.exposed
    for place in (home.tcp, home.exposed):
        assert {answer.status for answer in other.ask(place, [guess] * 20)} == {401}
    assert ask(home.tcp, "POST", "/api/v1/login", [JSON], as_json({"code": code})).status == 201


@pytest.mark.parametrize("way", WAYS)
def test_A15_another_user_cannot_fill_the_owners_own_listener(home: House, way: str) -> None:
    with stranger(SOMEBODY) as other:
        other.crowd(home.tcp, 600, way)
        for _ in range(5):
            assert ask(home.tcp, "GET", "/api/v1/status", [bearer(home.owner_token)]).status == 200


# The port


def test_another_user_cannot_answer_to_localhost_beside_the_node(home: House, other: Stranger) -> None:
    """A browser takes `localhost` for two addresses, and tries them in an order of its own."""
    for host in ("127.0.0.1", "::1"):
        assert other.listen(host, home.tcp.port) == "OSError", host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_node_does_not_start_beside_another_user_who_answers_to_localhost(tmp_path: Path, host: str) -> None:
    port = free_port()
    with stranger(SOMEBODY) as other:
        assert other.listen(host, port) == ""
        refused = run_thorp(tmp_path / "n", "up", "--port", str(port))
    assert (refused.returncode, f"on {host} is taken" in refused.stderr) == (8, True), refused.stderr


# Proxies

MARKS = {
    "X-Forwarded-For": (("X-Forwarded-For", "192.0.2.7"),),
    "X-Forwarded-Proto": (("X-Forwarded-Proto", "https"),),
    "X-Real-IP": (("X-Real-IP", "192.0.2.7"),),
    "Forwarded": (("Forwarded", "for=192.0.2.7"),),
    "Via": (("Via", "1.1 proxy"),),
    "a claim to be local": (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")),
    "an empty mark": (("X-Forwarded-For", ""),),
}
MARKED = [Style(host="localhost", marks=marks) for marks in MARKS.values()]
BARE = Style(version="1.0", host="localhost")  # nginx, told nothing but where to


def is_owner(place: Place, *headers: tuple[str, str]) -> bool:
    """Whether anything that is the owner's alone can be reached."""
    for route in EVERY_ROUTE:
        answer = nonsense(route).alone(place, *headers)
        if not is_open(route) and answer.status not in {401, 403, 421}:
            return True
    return False


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
@pytest.mark.parametrize("style", [*MARKED, BARE], ids=[*MARKS, "nothing but HTTP 1.0"])
def test_what_comes_through_a_proxy_is_never_the_owner(home: House, name: str, style: Style) -> None:
    before = home.state()
    with proxy(home.places[name], style) as front:
        assert nonsense(EVERY_ROUTE[0]).alone(front).status == 200  # the proxy itself works
        assert not is_owner(front)
    assert home.state() == before


@pytest.mark.parametrize("name", ["local", "exposed"])
def test_a_proxy_that_hides_itself_is_still_not_the_owner_over_tcp(home: House, name: str) -> None:
    with proxy(home.places[name], Style(host="localhost")) as front:
        assert not is_owner(front)


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_a_proxy_that_keeps_the_name_people_typed_is_misdirected(home: House, name: str) -> None:
    for style in (Style(), Style(marks=MARKS["X-Forwarded-For"]), Style(version="1.0")):
        with proxy(home.places[name], style) as front:
            answers = [nonsense(route).alone(front, ("Host", "thorp.example")) for route in EVERY_ROUTE]
            assert {answer.status for answer in answers} == {421}


def test_a_page_behind_a_proxy_that_hides_itself_is_refused_on_the_socket(home: House) -> None:
    """Only a browser says these things, and none opens a Unix socket."""
    with proxy(home.unix, Style(host="localhost")) as front:
        assert not is_owner(front, *PAGE)
        assert not is_owner(front, ("Origin", front.origin))


def test_a_key_passes_a_proxy_with_its_own_rights(home: House) -> None:
    key = home.key("node:read")
    for place in home.places.values():
        with proxy(place, MARKED[0]) as front:
            statuses = [
                nonsense(route).alone(front, bearer(key)).status for route in EVERY_ROUTE if route.floor == "owner"
            ]
            assert set(statuses) == {403}


# Folders


def prepared(folder: Path, mode: int, owner: int) -> None:
    """A folder of a home that somebody made before the owner did, with what they like in it."""
    for made in (folder.parent, folder):
        made.mkdir(0o700, exist_ok=True)
    folder.chmod(mode)
    os.chown(folder, owner, owner)


@pytest.mark.parametrize("name", ["n", "n/data", "n/keys", "n/run", "n/logs"])
@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o770, 0), (0o700, SOMEBODY), (0o755, SOMEBODY)])
def test_a_node_lives_in_no_folder_that_others_could_have_filled(
    tmp_path: Path, name: str, mode: int, owner: int
) -> None:
    prepared(tmp_path / name, mode, owner)
    with pytest.raises(DidNotStartError, match=f"{tmp_path / name}`"), house(tmp_path):
        raise AssertionError("the node started")


def test_a_node_lives_in_no_folder_that_others_could_exchange(tmp_path: Path) -> None:
    prepared(tmp_path / "open", 0o777, 0)
    with pytest.raises(DidNotStartError, match=f"{tmp_path / 'open'}`"), house(tmp_path / "open"):
        raise AssertionError("the node started")


def test_a_folder_that_others_could_only_read_is_closed_to_them(tmp_path: Path) -> None:
    prepared(tmp_path / "n" / "data", 0o755, 0)
    with house(tmp_path) as home:
        assert home.node.paths.data.stat().st_mode & 0o777 == 0o700
