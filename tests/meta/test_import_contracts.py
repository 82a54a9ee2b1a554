"""The import contracts hold on the real tree, and each of them catches what it is there for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the shipped contracts over the package in `tree`."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", ROOT / ".importlinter", "--no-cache", "--no-logo"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src/thorp", tmp_path / "thorp", ignore=shutil.ignore_patterns("static", "__pycache__"))
    return tmp_path


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    answer = lint_imports(tree)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert ", 0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("planted", "line", "contract"),
    [
        ("bus/planted.py", "import thorp.net", "rooms on one row never import each other"),
        ("base/planted.py", "import thorp.wire", "A row imports only rows below it"),
        ("wire/planted.py", "import socket", "take time, chance and bytes as arguments"),
        ("bus/planted.py", "import sqlite3", "take time, chance and bytes as arguments"),
        ("node/plan.py", "import time", "take time, chance and bytes as arguments"),
        ("identity/planted.py", "import asyncio", "Pure modules never wait"),
        ("node/types.py", "import thorp.store", "reach neither the network nor the disk"),
        ("base/planted.py", "import pydantic", "stands on the standard library alone"),
        ("node/planted.py", "import thorp.testing", "The product never leans on its fakes"),
        ("annex/__init__.py", "", "A row imports only rows below it"),
    ],
)
def test_a_planted_violation_is_caught(tree: Path, planted: str, line: str, contract: str) -> None:
    file = tree / "thorp" / planted
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{line}\n")

    answer = lint_imports(tree)

    assert answer.returncode == 1, answer.stdout + answer.stderr
    broken = [row for row in answer.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(contract in row for row in broken), answer.stdout


def test_two_files_of_a_room_may_not_need_each_other(tree: Path) -> None:
    (tree / "thorp/node/one.py").write_text("import thorp.node.two\n")
    (tree / "thorp/node/two.py").write_text("import thorp.node.one\n")

    answer = lint_imports(tree)

    assert answer.returncode == 1
    assert "need each other BROKEN" in answer.stdout
