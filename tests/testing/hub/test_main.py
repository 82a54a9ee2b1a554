"""The hub by hand, as a process."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thorp.testing.process import environment_of

ROOT = Path(__file__).parents[3]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "thorp.testing.hub", *words]


@pytest.fixture(name="folder")
def a_folder(tmp_path: Path) -> Path:
    (tmp_path / "hub/org/tiny").mkdir(parents=True)
    (tmp_path / "hub/org/tiny/a.txt").write_bytes(b"hello")
    return tmp_path / "hub"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_a_folder_until_it_is_told_to_end(
    folder: Path, tmp_path: Path, ask: Callable[..., Any], ending: signal.Signals
) -> None:
    fault = '{"kind": "server_error", "path": "*.txt"}'
    words = command(str(folder), "--json", "--log", str(tmp_path / "log"), "--fault", fault)
    environment = environment_of(tmp_path, PYTHONPATH=str(ROOT / "src"))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stderr
        ready = json.loads(process.stdout.readline())
        url = f"{ready['hub']}/org/tiny/resolve/main/a.txt"
        assert (ready["repos"], ask(url).status, ask(url).body) == (["org/tiny"], 503, b"hello")
        process.send_signal(ending)
        assert (process.wait(60), process.stderr.read()) == (0, b"")
    logged = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(one["status"], one["file"], one["done"]) for one in logged] == [(503, "a.txt", True), (200, "a.txt", True)]


def test_without_json_it_says_what_to_type(folder: Path, tmp_path: Path) -> None:
    environment = environment_of(tmp_path, PYTHONPATH=str(ROOT / "src"))
    with subprocess.Popen(command(str(folder)), stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"export HF_ENDPOINT=http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize("words", [("none",), (".", "--fault", "{}")])
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    environment = environment_of(tmp_path, PYTHONPATH=str(ROOT / "src"))
    ended = subprocess.run(command(*words), env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.count(b"\n")) == (2, 1)
