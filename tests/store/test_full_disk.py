"""A disk that is really full: a tmpfs of one mebibyte in a mount namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thorp

SOURCE = Path(thorp.__file__).parents[1]
PROGRAM = Path(__file__).with_name("filled.py")


def test_C37_a_full_disk_refuses_loses_nothing_and_recovers(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.fail("this test needs `unshare` and `mount` (Debian package util-linux)")
    namespace = "-m" if os.geteuid() == 0 else "-Urm"
    environment = os.environ | {"PYTHONPATH": f"{SOURCE}:{PROGRAM.parents[2]}"}
    command = [unshare, namespace, sys.executable, str(PROGRAM), str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode:
        pytest.fail(f"a small disk could not be mounted and filled in a namespace of its own:\n{ran.stderr}")

    report = json.loads(ran.stdout)
    assert report.pop("acknowledged") > 10
    assert f"{tmp_path}/test.db" in report["refusal"]
    assert "Free some space" in report.pop("refusal")
    assert report.pop("complaints") == []
    assert report == dict.fromkeys(report, True)
