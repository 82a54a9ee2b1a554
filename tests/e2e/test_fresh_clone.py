"""What a stranger does first: a fresh clone and `script/up`; a wheel and an empty environment. Dashboard included."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import ProxyHandler, build_opener

import pytest

from tools.meta.source import repository_files

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.outside, pytest.mark.slow]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files git keeps, in a place where nothing was built yet."""
    clone = tmp_path_factory.mktemp("fresh") / "clone"
    for path in repository_files(ROOT):
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return clone


def run(clone: Path, *command: str | Path) -> str:
    """Run as a person who has never used Thorp; answers with what it printed."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("THORP_", "PYTHON"))}
    home = clone.parent / "home"
    done = subprocess.run(
        list(map(str, command)),
        cwd="/",
        env=mine | {"HOME": str(home), "THORP_HOME": str(home / "thorp")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def ended(clone: Path, thorp: Path) -> Iterator[None]:
    try:
        yield
    finally:
        run(clone, thorp, "down")


def assert_dashboard(address: str) -> None:
    """The page is there, and so is every file it asks for."""
    page = get(f"{address}/")
    files = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', page)
    assert any(name.endswith(".js") for name in files), page
    assert all(get(urljoin(f"{address}/", name)) for name in files)


def get(url: str) -> str:
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        return answer.read().decode()


def test_script_up_on_a_fresh_clone_ends_with_a_node_and_its_dashboard(clone: Path) -> None:
    ready = json.loads(run(clone, clone / "script/up", "--detach", "--port", "0", "--json"))

    with ended(clone, clone / ".venv/bin/thorp"):
        assert_dashboard(ready["address"])


def test_a_wheel_in_an_empty_environment_is_the_whole_product(clone: Path) -> None:
    run(clone, clone / "script/setup")
    run(clone, "sh", "-c", f"cd '{clone}' && .venv/bin/hatchling build -t wheel -d ../wheels")
    empty = clone.parent / "empty"
    python = empty / "bin/python"
    if uv := shutil.which("uv"):
        run(clone, uv, "venv", "--python", sys.executable, empty)
        install = (uv, "pip", "install", "--python", python)
    else:
        run(clone, sys.executable, "-m", "venv", empty)
        install = (python, "-m", "pip", "install")
    run(clone, *install, "--require-hashes", "-r", clone / "requirements/run.lock")
    run(clone, *install, "--no-deps", *(clone.parent / "wheels").glob("*.whl"))

    ready = json.loads(run(clone, empty / "bin/thorp", "up", "--detach", "--port", "0", "--json"))

    with ended(clone, empty / "bin/thorp"):
        assert_dashboard(ready["address"])
