"""Pulls onto disks that are too small, become full, cannot be written to, or are not there at all."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.pulls import (
    MIB,
    ONE,
    ONE_FILE,
    PARTS,
    Home,
    a_model,
    ended,
    twice,
)
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.process import PATIENCE

AS_ROOT: Final = os.geteuid() == 0
NAMESPACE: Final = ("-m",) if AS_ROOT else ("-Urm",)
ENTER: Final = ("--mount",) if AS_ROOT else ("--user", "--preserve-credentials", "--mount")
SIZE: Final = 24 * MIB


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("models"), size=SIZE)


@contextmanager
def disk(at: Path, size: str) -> Iterator[tuple[tuple[str, ...], Path]]:
    """A small disk that only some processes see: what begins one of them, and where the disk lies for all others."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.fail("this test needs `unshare`, `nsenter` and `mount` (Debian package util-linux)")
    at.mkdir(parents=True)
    script = 'mount -t tmpfs -o "size=$2" none "$1" && echo mounted && exec cat'
    with subprocess.Popen(
        ["unshare", *NAMESPACE, "sh", "-c", script, "sh", str(at), size],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"mounted\n", "a disk could not be mounted in a namespace of its own"
            yield ("nsenter", f"--target={holder.pid}", *ENTER), Path(f"/proc/{holder.pid}/root{at}")
        finally:
            holder.kill()


@contextmanager
def home_on_disk(folder: Path, hub: FakeHub, what: str, size: str) -> Iterator[tuple[Home, Path]]:
    """A home whose everything, or whose models folder, lies on a small disk; and where that disk is."""
    with disk(folder / "disk", size) as (through, seen):
        if what == "home":
            yield Home(seen / "n", hub, inside=folder / "disk/n", through=through), seen
        else:
            given = {"THORP_MODELS_DIR": str(folder / "disk/models")}
            yield Home(folder / "n", hub, given, seen / "models", folder / "n", through), seen


def mounted_again(home: Home, how: str) -> None:
    at = str(Path(home.run()["env"].get("THORP_MODELS_DIR", home.inside)).parent)
    subprocess.run([*home.through, "mount", "-o", f"remount,{how}", at], check=True, timeout=PATIENCE)


ON_DISK: Final = pytest.mark.parametrize("what", ["home", "models folder"])


@ON_DISK
def test_C37_a_disk_that_is_too_small_is_seen_before_the_first_byte(
    tmp_path: Path, hub: FakeHub, model: Path, what: str
) -> None:
    hub.add(ONE, {ONE_FILE: model})
    with home_on_disk(tmp_path, hub, what, "16m") as (home, seen):
        said = home.refused(ONE, code=7, says="are missing")
        assert said.count("\n") == 2  # the terms, and why not
        told = home.thorp("pull", ONE, "--json")
        details = json.loads(told.stderr)["error"]["details"]
        free = shutil.disk_usage(seen).free
        assert (told.returncode, details["needed"]) == (7, SIZE)
        assert details["missing"] == SIZE - details["free"] > 0
        assert abs(details["free"] - free) < MIB
        home.nothing_installed()
        assert home.own("partial") == []
        assert not any(one.file for one in hub.log)


@ON_DISK
def test_C37_a_disk_that_somebody_fills_in_the_middle_keeps_what_is_there(
    tmp_path: Path, hub: FakeHub, model: Path, what: str
) -> None:
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(Fault(FaultKind.SLOW, rate=2 * MIB, times=None))
    with home_on_disk(tmp_path, hub, what, "40m") as (home, seen):
        with home.pulling(ONE) as process:
            home.until_noted(3 * MIB)
            filler = filled_up(seen / "filler")
            code, rows, said = ended(process)
        assert code == 7, (rows[-1], said)
        assert "no space left" in said.lower()
        assert rows[-1].get("state") != "done"
        home.nothing_installed()
        assert home.noted() >= 3 * MIB
        before, _ = hub.fetched(ONE_FILE), hub.forget()
        hub.faults.clear()
        filler.unlink()
        receipt = home.pull(ONE)
        assert home.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
        assert twice(before, hub.fetched(ONE_FILE)) <= sum(end - first for first, end in before) - 3 * MIB
        home.settled()


def filled_up(at: Path) -> Path:
    with at.open("wb", buffering=0) as file:
        for size in (MIB, 4096):
            try:
                while file.write(b"\1" * size):
                    pass
            except OSError:
                continue
    return at


@ON_DISK
def test_C37_a_disk_that_cannot_be_written_to_is_refused(tmp_path: Path, hub: FakeHub, what: str) -> None:
    with home_on_disk(tmp_path, hub, what, "16m") as (home, _):
        assert home.thorp("init").returncode == 0
        mounted_again(home, "ro")
        home.refused(ONE, code=4, says="Read-only file system")
        home.nothing_installed()
        assert not any(one.file for one in hub.log)
        mounted_again(home, "rw")
        home.pull(ONE)
        home.settled()
        mounted_again(home, "ro")
        assert home.thorp("pull", ONE).stdout.startswith("Here already")


def test_C44_a_disk_that_is_away_is_waited_for_and_nothing_is_fetched_again(
    tmp_path: Path, hub: FakeHub, home: Path
) -> None:
    """The models folder is there, and empty, because what belongs there is not mounted."""
    folder = tmp_path / "stick"
    here = Home(home, hub, {"THORP_MODELS_DIR": str(folder)}, folder)
    here.pull(ONE)
    folder.rename(tmp_path / "elsewhere")
    folder.mkdir()
    hub.forget()
    here.refused(ONE, code=75, says="is its disk mounted?")
    here.refused(PARTS, code=75, says="is its disk mounted?")
    assert not any(one.file for one in hub.log)
    assert list(folder.iterdir()) == []
    assert json.loads(here.thorp("models", "--json").stdout)["models"][0]["state"] == "missing"
    folder.rmdir()
    (tmp_path / "elsewhere").rename(folder)
    assert here.thorp("pull", ONE).stdout.startswith("Here already")
