"""`thorp init`, as a person types it."""

import json
from pathlib import Path

from thorp.testing.process import run_thorp, running_node


def test_it_makes_a_home_and_does_so_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, again = (json.loads(run_thorp(home, "init", "--json").stdout) for _ in range(2))
    assert (first["made"], again["made"]) == (True, False)
    assert first["node_id"] == again["node_id"]


def test_a_new_identity_is_warned_of(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "new identity" not in run_thorp(home, "init").stderr
    (home / "data" / "thorp.db").touch()
    (home / "keys" / "node.key").unlink()
    found = run_thorp(home, "init")
    assert "Warning: This node has a new identity: keys/node.key was missing." in found.stderr
    assert "new identity" not in run_thorp(home, "init").stderr


def test_quiet_says_nothing(tmp_path: Path) -> None:
    done = run_thorp(tmp_path / "home", "-q", "init")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_path_comes_before_the_usual_place(tmp_path: Path) -> None:
    other = tmp_path / "other"
    run_thorp(tmp_path / "home", "init", "--path", str(other))
    assert (other / "config.toml").exists()
    assert not (tmp_path / "home").exists()


def test_a_dry_run_only_says_what_would_go(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_thorp(home, "init")
    stale = home / "run" / "pid"
    stale.write_text("1")
    told = json.loads(run_thorp(home, "init", "--cleanup", "--dry-run", "--json").stdout)
    assert (told["found"], told["removed"]) == ([str(stale)], [])
    assert stale.exists()


def test_it_asks_before_it_removes_and_refuses_where_nobody_can_answer(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_thorp(home, "init")
    stale = home / "run" / "pid"
    stale.write_text("1")
    assert run_thorp(home, "init", "--cleanup").returncode == 2
    assert stale.exists()
    assert run_thorp(home, "init", "--cleanup", "--yes").returncode == 0
    assert not stale.exists()


def test_a_running_node_is_left_alone(tmp_path: Path) -> None:
    with running_node(tmp_path / "home") as node:
        assert run_thorp(node.home, "init", "--cleanup", "--yes").returncode == 8
        assert node.paths.socket.exists()
