"""Whole nodes as real processes, each in a home of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e import browser
from tests.e2e.attack_front import Front, before_a_hub
from tests.e2e.pulls import Home, fill, stock
from thorp.testing.hub import Content, FakeHub
from thorp.testing.process import NodeProcess, running_node


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


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Content]]:
    """What a hub has for tests: repository by repository, file by file."""
    return stock(tmp_path_factory.mktemp("stock"))


@pytest.fixture
def hub(stocked: dict[str, dict[str, Content]]) -> Iterator[FakeHub]:
    with FakeHub() as started:
        fill(started, stocked)
        yield started


@pytest.fixture
def here(home: Path, hub: FakeHub) -> Home:
    """A home that pulls from it."""
    return Home(home, hub)


@pytest.fixture(params=["here", "node"])
def either(request: pytest.FixtureRequest, here: Home) -> Iterator[Home]:
    """The same without a node, and with one."""
    with ExitStack() as stack:
        if request.param == "node":
            stack.enter_context(running_node(here.at, **here.given))
        yield here


@pytest.fixture(scope="module")
def front_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with before_a_hub(tmp_path_factory.mktemp("front")) as front:
        yield front


@pytest.fixture
def front(front_door: Front) -> Front:
    """A hub with something before it that sees what is asked; it remembers nothing of the test before."""
    front_door.forget()
    return front_door
