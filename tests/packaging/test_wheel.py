"""The sdist, and the wheel that is built from it on a machine without Node."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = "thorp/web/static/"
BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"
ASK = "import sys; from hatchling import build; print(*getattr(build, sys.argv[1])())"

# A build may have to fetch what the dashboard is made with.
pytestmark = [pytest.mark.slow, pytest.mark.outside]


def run(script: str, *words: str, where: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=where, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Packed:
    sdist: dict[str, bytes]  # by path below its one folder
    wheel: dict[str, bytes]
    unpacked: Path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    place = tmp_path_factory.mktemp("packed")
    name = run(BUILD, "build_sdist", str(place), where=ROOT)
    with tarfile.open(place / name) as archive:
        archive.extractall(place, filter="data")
        files = [(one.name, archive.extractfile(one)) for one in archive if one.isfile()]
        sdist = {path.partition("/")[2]: file.read() for path, file in files if file is not None}
    unpacked = place / name.removesuffix(".tar.gz")

    bare = {"PATH": str(place / "nothing"), "HOME": str(place)}
    assert run(ASK, "get_requires_for_build_wheel", where=unpacked, env=bare) == "", "a build from the sdist wants Node"
    wheel_name = run(BUILD, "build_wheel", str(place), where=unpacked, env=bare)
    with zipfile.ZipFile(place / wheel_name) as archive:
        wheel = {path: archive.read(path) for path in archive.namelist()}
    return Packed(sdist, wheel, unpacked)


def dashboard(files: dict[str, bytes], prefix: str) -> dict[str, bytes]:
    """The files browsers ask for; the stamp beside them is not one."""
    below = {path.removeprefix(prefix): data for path, data in files.items() if path.startswith(prefix)}
    return {path: data for path, data in below.items() if not path.startswith(".")}


def test_sdist_and_wheel_carry_the_same_dashboard(packed: Packed) -> None:
    carried = dashboard(packed.wheel, STATIC)

    assert carried == dashboard(packed.sdist, "src/" + STATIC)
    assert {"index.html", "favicon.svg"} < set(carried)


def test_the_page_finds_everything_it_names(packed: Packed) -> None:
    carried = dashboard(packed.wheel, STATIC)
    named = re.findall(r'(?:src|href)="/((?!plain/)[^"]+)"', carried["index.html"].decode())

    assert set(named) <= set(carried)
    assert {Path(name).suffix for name in named} == {".js", ".css", ".svg"}


def test_the_wheel_holds_the_package_and_nothing_else(packed: Packed) -> None:
    tops = {path.split("/")[0] for path in packed.wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"thorp"}
    assert [path for path in packed.wheel if path.endswith((".tsx", ".ts", ".sources"))] == []


def test_the_wheels_record_lists_the_dashboard(packed: Packed) -> None:
    (record,) = (data.decode() for path, data in packed.wheel.items() if path.endswith(".dist-info/RECORD"))

    assert f"{STATIC}index.html,sha256=" in record


def test_the_sdist_can_build_the_dashboard_anew(packed: Packed) -> None:
    assert {"webui/package-lock.json", "webui/.npmrc", "webui/src/main.tsx", "hatch_build.py"} <= set(packed.sdist)
    assert [path for path in packed.sdist if "node_modules" in path] == []
    assert not (packed.unpacked / "webui/node_modules").exists(), "the wheel was built with Node after all"


def test_the_npm_lock_pins_by_hash_and_holds_no_address() -> None:
    text = (ROOT / "webui/package-lock.json").read_text()
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}

    assert "://" not in text, "renew it with `npm run relock`"
    assert "resolved" not in text
    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
