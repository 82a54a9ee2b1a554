"""Whole nodes as real processes, each in a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.testing.process import NodeProcess, running_node


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "n"  # a short name: a socket's path must fit into 100 bytes


@pytest.fixture
def node(home: Path) -> Iterator[NodeProcess]:
    with running_node(home) as node:
        yield node
