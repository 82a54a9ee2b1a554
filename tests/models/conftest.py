"""A file that neighbours have, and the partial that it comes into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.swarms import DATA, RIGHT, Case, Village, village


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Village]:
    with village(tmp_path) as made:
        yield made


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "home", DATA, RIGHT)
