import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.fake_here import FakeHere
from tests.cli.model_rows import LIBRARY, Row
from thorp.app.environment import Environment
from thorp.app.paths import Paths
from thorp.base.errors import NotFoundError
from thorp.cli.completing import refs_like
from thorp.cli.frame import Frame
from thorp.cli.pull import pull


def offered(here: FakeHere, home: Path, incomplete: str) -> list[str]:
    context = click.Context(pull, obj=Frame(Environment(home=home), here))
    return refs_like(context, pull.params[0], incomplete)


def test_ids_and_aliases_are_offered(home: Path) -> None:
    here = FakeHere(shelf=LIBRARY)

    assert offered(here, home, "") == ["fast", "qwen2.5:0.5b:instruct:q8_0"]
    assert offered(here, home, "qw") == ["qwen2.5:0.5b:instruct:q8_0"]
    assert offered(here, home, "x") == []


class Broken(FakeHere):
    def library(self, paths: Paths, environment: Environment) -> Row:
        raise NotFoundError("no disk")


class Slow(FakeHere):
    gate = threading.Event()

    def library(self, paths: Paths, environment: Environment) -> Row:
        self.gate.wait()
        return LIBRARY


@pytest.fixture
def slow() -> Iterator[Slow]:
    here = Slow()
    yield here
    here.gate.set()


def test_trouble_offers_nothing_and_says_nothing(home: Path) -> None:
    assert offered(Broken(), home, "") == []


def test_a_slow_disk_is_not_waited_for(home: Path, slow: Slow) -> None:
    assert offered(slow, home, "") == []
