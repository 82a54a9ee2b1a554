"""A home, a node that answers as told, and the command line in this very process."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_here import FakeHere
from tests.cli.fake_node import FakeNode, node_elsewhere, node_of
from thorp.app.environment import Environment
from thorp.cli.main import run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.err)["error"]


@dataclass
class Thorp:
    """The command line, with variables of its own."""

    home: Path
    capture: pytest.CaptureFixture[str]
    variables: dict[str, str]
    here: FakeHere = field(default_factory=FakeHere)

    def __call__(self, *arguments: str, **variables: str) -> Result:
        given = {"THORP_HOME": str(self.home)} | self.variables | variables
        code = run(arguments, Environment.of(given), self.here)
        out, err = self.capture.readouterr()
        return Result(code, out, err)


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, because the path of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="thorp-") as folder:
        yield Path(folder) / "home"


@pytest.fixture
def thorp(home: Path, capsys: pytest.CaptureFixture[str]) -> Thorp:
    return Thorp(home, capsys, {})


@pytest.fixture
def node(home: Path) -> Iterator[FakeNode]:
    with node_of(home) as found:
        yield found


@pytest.fixture
def elsewhere() -> Iterator[FakeNode]:
    with node_elsewhere() as found:
        yield found
