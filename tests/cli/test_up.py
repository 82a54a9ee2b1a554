"""`thorp up`, as a person types it."""

import json
import os
import signal
from pathlib import Path

from thorp.testing.process import detached_node, run_thorp


def test_in_the_background_it_returns_when_the_node_is_ready(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = run_thorp(home, "up", "--detach", "--port", "0", "--json")
    assert done.returncode == 0, done.stderr
    ready = json.loads(done.stdout)
    try:
        assert ready["url"] == f"{ready['address']}/#code={ready['code']}"
        assert run_thorp(home, "status", "--json").returncode == 0
        again = run_thorp(home, "up", "--detach", "--port", "0", "--json")
        assert again.returncode == 8
        assert json.loads(again.stderr)["error"]["code"] == "app.home_taken"
        assert str(ready["pid"]) in again.stderr
    finally:
        assert run_thorp(home, "down").returncode == 0


def test_a_new_identity_is_warned_of_in_the_background_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with detached_node(home):
        pass
    (home / "keys" / "node.key").unlink()
    try:
        done = run_thorp(home, "up", "--detach", "--port", "0")
        assert done.stderr.count("Warning: This node has a new identity: keys/node.key was missing.") == 1
    finally:
        assert run_thorp(home, "down").returncode == 0


def test_a_port_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = run_thorp(tmp_path / "home", "up", "--port", "70000")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_address_is_printed_for_a_person(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = run_thorp(home, "up", "--detach", "--port", "0")
    pid = int((home / "run" / "pid").read_text())
    os.kill(pid, signal.SIGTERM)
    assert "/#code=" in done.stdout
    assert "one-time code" in done.stderr
