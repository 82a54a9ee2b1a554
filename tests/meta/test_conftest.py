"""The rules every test runs under, tried on small test suites of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder laid out like this repository, with its conftest and no tests yet."""
    for name in ("tests/conftest.py", "script/packages.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(suite: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    (suite / "tests/test_it.py").write_text(f"import os, socket\nimport pytest\n\n{body}\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=suite,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


SKIPPED = "@pytest.mark.needs('no-such-program-anywhere')\ndef test_it(): pass"
EXPECTED_TO_FAIL = "@pytest.mark.xfail\ndef test_it(): raise ValueError"
PASSED = "def test_that(): pass"


def test_a_missing_program_skips_with_the_package_to_install(suite: Path) -> None:
    (suite / "script/packages.txt").write_text("no-such-program-anywhere  its-package  a test of the rules\n")

    answer = run(suite, f"{SKIPPED}\n{PASSED}")

    assert answer.returncode == 0, answer.stdout
    assert "apt install its-package" in answer.stdout


@pytest.mark.parametrize("hidden", [SKIPPED, EXPECTED_TO_FAIL, "@pytest.mark.skip\ndef test_it(): pass"])
def test_no_skips_fails_a_run_that_hides_something(suite: Path, hidden: str) -> None:
    (suite / "script/packages.txt").write_text("no-such-program-anywhere  its-package  a test of the rules\n")

    answer = run(suite, f"{hidden}\n{PASSED}", "--no-skips")

    assert answer.returncode == 1, answer.stdout
    assert "Every test has to run here" in answer.stdout
    assert "1 passed" in answer.stdout.splitlines()[-1]


def test_no_skips_fails_a_run_that_leaves_tests_out(suite: Path) -> None:
    assert run(suite, PASSED + "\n" + EXPECTED_TO_FAIL, "--no-skips", "-k", "that").returncode == 1


TWO = ("-p", "xdist.plugin", "-n", "2")


def test_no_skips_fails_two_processes_that_leave_tests_out(suite: Path) -> None:
    assert run(suite, PASSED, "--no-skips", *TWO).returncode == 0
    assert run(suite, PASSED + "\n" + SKIPPED, "--no-skips", *TWO).returncode == 1
    assert run(suite, PASSED + "\n" + EXPECTED_TO_FAIL, "--no-skips", "-k", "that", *TWO).returncode == 1


def test_no_skips_fails_a_run_without_tests(suite: Path) -> None:
    assert run(suite, "", "--no-skips").returncode != 0


def test_no_skips_passes_when_everything_ran(suite: Path) -> None:
    assert run(suite, PASSED, "--no-skips").returncode == 0


def test_no_test_sees_the_homes_of_the_person(suite: Path) -> None:
    answer = run(
        suite,
        "def test_it():\n"
        "    assert not os.path.exists(os.environ['THORP_HOME'])\n"
        "    assert 'XDG_DATA_HOME' not in os.environ",
    )

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("address", ["('192.0.2.1', 9)", "('2001:db8::1', 9)"])
def test_no_test_leaves_the_machine(suite: Path, address: str) -> None:
    family = "AF_INET6" if "::" in address else "AF_INET"

    answer = run(suite, f"def test_it(): socket.socket(socket.{family}, socket.SOCK_DGRAM).connect({address})")

    assert answer.returncode == 1
    assert "tests stay on loopback" in answer.stdout


def test_loopback_is_near(suite: Path) -> None:
    answer = run(
        suite, "def test_it():\n    with socket.socket(type=socket.SOCK_DGRAM) as one: one.connect(('127.0.0.1', 9))"
    )

    assert answer.returncode == 0, answer.stdout
