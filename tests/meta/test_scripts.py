"""The scripts: plain POSIX sh that says what it is for and runs from anywhere."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "script").iterdir() if path.suffix == "")
VERBS = ("help", "check", "test", "fix", "docs", "run", "e2e", "bench")
EVERY_SCRIPT = pytest.mark.parametrize("script", SCRIPTS, ids=[path.name for path in SCRIPTS])


@EVERY_SCRIPT
def test_a_script_says_in_its_second_line_what_it_does(script: Path) -> None:
    first, second, third, *_ = script.read_text().splitlines()

    assert first == "#!/bin/sh"
    assert re.fullmatch(r"# [A-Z].+\.", second)
    assert third == "set -eu"
    assert script.stat().st_mode & 0o111


@pytest.mark.needs("shellcheck")
def test_the_scripts_are_plain_posix_shell() -> None:
    answer = subprocess.run(
        ["shellcheck", *SCRIPTS, ROOT / ".ci/run"], capture_output=True, text=True, check=False, timeout=60
    )

    assert answer.returncode == 0, answer.stdout


def test_help_names_every_verb_from_anywhere(tmp_path: Path) -> None:
    answer = subprocess.run(
        [ROOT / "script/help"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=10
    )

    listed = {line.split()[0].removeprefix("script/") for line in answer.stdout.splitlines()}
    assert set(VERBS) - {"help"} | {"up"} <= listed


def test_the_justfile_has_the_same_verbs() -> None:
    recipes = re.findall(r"^(\w+)(?: \*args)?:\n    @script/(\w+)", (ROOT / "justfile").read_text(), re.MULTILINE)

    assert [verb for verb, _ in recipes] == list(VERBS)
    assert all(verb == script for verb, script in recipes)


def test_every_program_a_test_needs_has_a_package() -> None:
    listed = re.findall(r"^(\w\S*)", (ROOT / "script/packages.txt").read_text(), re.MULTILINE)
    needed = {
        program
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.name != "test_conftest.py"
        for group in re.findall(r"mark\.needs\(([^)]*)\)", path.read_text())
        for program in re.findall(r'"([^"]+)"', group)
    }

    assert needed <= set(listed)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "no Python 3.11, 3.12 or 3.13 found"),
        (
            "[ $1 = -c ] || { echo no ensurepip; exit 1; }",
            "cannot make a virtual environment. On Debian and Ubuntu: apt",
        ),
    ],
    ids=["too old", "without venv"],
)
def test_a_python_that_will_not_do_is_told_in_a_sentence(tmp_path: Path, python: str, said: str) -> None:
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    programs.mkdir()
    for tool in ("dirname", "find", "cksum", "sort", "grep", "cat", "rm"):
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (programs / "python3").chmod(0o755)
    shutil.copytree(ROOT / "script", clone / "script")

    answer = subprocess.run(
        ["/bin/sh", clone / "script/setup"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )

    assert answer.returncode == 1
    assert said in answer.stderr
    assert not (clone / ".venv").exists()


def test_the_python_range_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info < (3, 14)" in (ROOT / "script/setup").read_text()
