"""Whole nodes as real processes, each in a home of its own."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e import browser
from thorp.testing.process import NodeProcess, running_node


@pytest.fixture(scope="session", autouse=True)
def _as_from_a_terminal() -> None:
    """Under nohup the tests ignore SIGHUP, and every node they start would inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "n"  # a short name: a socket's path must fit into 100 bytes


@pytest.fixture
def node(home: Path) -> Iterator[NodeProcess]:
    with running_node(home) as node:
        yield node


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for each file, because nothing else may run an event loop while Playwright's stands."""
    with browser.chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One node for all tests of a module that leave it as they found it."""
    with running_node(tmp_path_factory.mktemp("shared") / "n") as node:
        yield node
