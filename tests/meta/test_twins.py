from pathlib import Path

import pytest

from tools.meta.excuses import judged, read
from tools.meta.twins import missing_twins

ROOT = Path(__file__).parents[2]
EXCUSED = read(Path(__file__).with_name("exceptions.toml"), "twins")


def test_every_source_file_has_its_test_twin() -> None:
    assert judged(missing_twins(ROOT), EXCUSED) == []


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    (tmp_path / "src/thorp/node").mkdir(parents=True)
    (tmp_path / "tests/node").mkdir(parents=True)
    (tmp_path / "src/thorp/node/plan.py").write_text('def answer() -> int:\n    """Says why."""\n    return 42\n')
    return tmp_path


def test_a_file_without_twin_is_caught(planted: Path) -> None:
    assert missing_twins(planted) == {"src/thorp/node/plan.py": "has no test twin tests/node/test_plan.py"}


def test_a_file_with_twin_is_fine(planted: Path) -> None:
    (planted / "tests/node/test_plan.py").touch()

    assert missing_twins(planted) == {}


@pytest.mark.parametrize(
    "declaration",
    [
        "",
        "import os\n",
        "LIMIT = 3\n",
        "class Port:\n    def ask(self) -> int:\n        '''How many.'''\n        ...\n",
    ],
)
def test_a_file_of_declarations_needs_none(planted: Path, declaration: str) -> None:
    (planted / "src/thorp/node/plan.py").write_text(declaration)

    assert missing_twins(planted) == {}
