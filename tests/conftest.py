"""What holds for every test: a home of its own, no proxies, nothing but loopback, and no silent skips."""

import ipaddress
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(__file__).parents[1] / "script/packages.txt"
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
HOMES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
UNSEEN = ("skipped", "xfailed", "xpassed", "deselected")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped or expected failure fails the run")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing; this is the only place that skips."""
    package = packages(PACKAGES.read_text())
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                pytest.skip(f"`{program}` is missing; on Debian: apt install {package[program]}")


def packages(text: str) -> dict[str, str]:
    """Programs tests may need, and the Debian package each comes from."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """One of several processes says at its end what it left out; all of them leave out the same."""
    told: dict[str, object] | None = getattr(items[0].config, "workeroutput", None)
    if told is not None:
        told["deselected"] = [one.nodeid for one in items]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    left_out = getattr(node, "workeroutput", {}).get("deselected", ())
    node.config.pluginmanager.get_plugin("terminalreporter").stats["deselected"] = list(left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `--no-skips`, turn green to red when not everything ran and passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return  # one of several processes; the one that waits for them judges
    unseen = [f"{len(reporter.stats[name])} {name}" for name in UNSEEN if reporter.stats.get(name)]
    if unseen and session.config.getoption("--no-skips"):
        reporter.write_line(f"\nEvery test has to run here: {', '.join(unseen)}.", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _as_from_a_terminal() -> None:
    """Under nohup, or behind a script's `&`, signals are ignored, and every process started here would inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def a_home_of_its_own(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The person's settings, keys and proxies never reach a test, nor a process that it starts."""
    for name in list(os.environ):
        if name.startswith(("THORP_", "HF_")) or (name.lower() in PROXIES and not outside(request)):
            monkeypatch.delenv(name)
    for name in HOMES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("THORP_HOME", str(home / "thorp"))


def outside(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("outside") is not None


class Fence:
    """Refuses connections of this process that would leave the machine."""

    def __init__(self) -> None:
        self.up = False

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.up and event in ("socket.connect", "socket.sendto") and not is_near(args[1]):
            raise AssertionError(f"a test tried to reach {args[1]!r}; tests stay on loopback")


def is_near(address: object) -> bool:
    """Loopback, a Unix socket, or no address of the internet at all."""
    if not isinstance(address, tuple) or not address:
        return True
    host = str(address[0])
    with suppress(ValueError):
        where = ipaddress.ip_address(host.partition("%")[0])
        return where.is_loopback or where.is_unspecified
    return host in ("", "localhost")


FENCE = Fence()
sys.addaudithook(FENCE)


@pytest.fixture(autouse=True)
def nothing_but_loopback(request: pytest.FixtureRequest) -> Iterator[None]:
    FENCE.up = not outside(request)
    yield
    FENCE.up = False
