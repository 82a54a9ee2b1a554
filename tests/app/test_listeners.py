"""The addresses of a node."""

from pathlib import Path

import pytest

from thorp.app.environment import Environment
from thorp.app.listeners import Listeners, hosts_of, is_loopback
from thorp.app.paths import paths_of
from thorp.app.settings import Settings
from thorp.net.settings import LocalSettings


async def nothing(_scope, _receive, _send) -> None:
    """Answers nothing."""


def listeners(home: Path, **local: object) -> Listeners:
    paths = paths_of(Environment(home=home))
    return Listeners(paths, LocalSettings(**local), tuple, nothing)  # pyright: ignore[reportArgumentType]


INSIDE = ("127.0.0.1", "127.8.8.8", "::1", "localhost")
OUTSIDE = ("0.0.0.0", "::", "192.168.1.5", "example.org", "")


@pytest.mark.parametrize(("host", "inside"), [*((one, True) for one in INSIDE), *((one, False) for one in OUTSIDE)])
def test_loopback_is_what_only_this_machine_reaches(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("127.0.0.1", ("127.0.0.1", "::1")),
        ("::1", ("::1", "127.0.0.1")),
        ("localhost", ("127.0.0.1", "::1")),
        ("127.8.8.8", ("127.8.8.8",)),
    ],
)
def test_what_is_called_localhost_is_held_on_both_of_its_addresses(host: str, hosts: tuple[str, ...]) -> None:
    assert hosts_of(host) == hosts


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "http://127.0.0.1:8737"), ("::1", "http://[::1]:8737")])
def test_the_address_is_one_a_browser_takes(tmp_path: Path, host: str, address: str) -> None:
    assert listeners(tmp_path, host=host).address == address


def test_before_the_start_nothing_is_open(tmp_path: Path) -> None:
    rows = listeners(tmp_path).rows()
    assert [(row.kind, row.state) for row in rows] == [("local", "closed"), ("socket", "closed")]


def test_where_the_home_lies_is_not_told_to_who_may_read_the_status(tmp_path: Path) -> None:
    assert listeners(tmp_path).rows()[1].address == "run/api.sock"


def test_the_local_listener_does_not_leave_the_machine(tmp_path: Path) -> None:
    own = listeners(tmp_path)
    outside = Settings(local=LocalSettings(host="0.0.0.0"))
    assert "thorp expose" in own.review(Settings(), outside)[0]
    assert own.review(outside, Settings()) == ()
