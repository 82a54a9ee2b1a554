from pathlib import Path

import pytest

from tools.meta.rooms import differences

ROOT = Path(__file__).parents[2]
PAGE = "| row | room | for |\n| --- | --- | --- |\n| 4 | `bus` | calls, see `ports.py` |\n| 1 | `base` | the ground |\n"


def test_the_architecture_page_equals_the_tree() -> None:
    assert differences((ROOT / "ARCHITECTURE.md").read_text(), ROOT / "src/thorp") == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for room in ("base", "bus"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    return tmp_path


def test_a_page_that_lists_what_exists_is_fine(package: Path) -> None:
    assert differences(PAGE, package) == []


def test_a_room_missing_on_the_page_is_caught(package: Path) -> None:
    (package / "annex").mkdir()
    (package / "annex/__init__.py").touch()

    assert differences(PAGE, package) == ["ARCHITECTURE.md does not list the package `annex`"]


def test_a_room_that_exists_only_on_the_page_is_caught(package: Path) -> None:
    assert differences(PAGE + "| 5 | `castle` | in the air |\n", package) == [
        "ARCHITECTURE.md lists `castle`, which is not there"
    ]
