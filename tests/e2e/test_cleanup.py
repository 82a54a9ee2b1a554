"""`thorp init`: makes what is missing, tidies up after the dead, and never touches what is alive or the owner's."""

import json
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from thorp.testing.process import NodeProcess, run_thorp, running_node


def files_of(home: Path) -> dict[str, bytes | None]:
    """Everything in a home; None stands for folders and sockets."""
    return {
        str(path.relative_to(home)): path.read_bytes() if path.is_file() else None for path in sorted(home.rglob("*"))
    }


def test_init_makes_a_home_once_and_leaves_it_alone_afterwards(home: Path) -> None:
    first = json.loads(run_thorp(home, "init", "--json").stdout)
    assert (first["home"], first["made"]) == (str(home), True)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in home.iterdir()} == {
        "config.toml": "0o600",
        "data": "0o700",
        "keys": "0o700",
        "logs": "0o700",
        "run": "0o700",
    }
    assert (home / "keys" / "node.key").stat().st_mode & 0o777 == 0o600
    (home / "config.toml").write_text("# mine\n")
    before = files_of(home)
    second = json.loads(run_thorp(home, "init", "--json").stdout)
    assert second == first | {"made": False}
    assert files_of(home) == before


def test_init_elsewhere_makes_it_there(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "attic"
    told = run_thorp(home, "init", "--path", str(elsewhere))
    assert told.returncode == 0
    assert (elsewhere / "keys" / "node.key").exists()
    assert not home.exists()


def test_a_home_made_by_init_is_the_node_that_starts(home: Path) -> None:
    made = json.loads(run_thorp(home, "init", "--json").stdout)
    with running_node(home) as node:
        assert node.ready.node_id == made["node_id"]
        assert json.loads(node.thorp("init", "--json").stdout) == made | {"made": False}


@pytest.fixture
def dead(home: Path) -> Path:
    """The home of a node that was killed, with everything such a death can leave and some files of the owner's."""
    with running_node(home) as node:
        node.end(signal.SIGKILL)
    for name in (".config.toml.0.unfinished", "data/.thorp.db.3.unfinished", "keys/.expose.crt.12.unfinished"):
        (home / name).write_text("half")
    for name in ("notes.txt", "data/mine.unfinished", ".hidden", "run/mine.txt", "keys/backup.key"):
        (home / name).write_text("the owner's")
    return home


STALE = {
    "run/api.sock",
    "run/owner.token",
    "run/pid",
    ".config.toml.0.unfinished",
    "data/.thorp.db.3.unfinished",
    "keys/.expose.crt.12.unfinished",
}


def test_cleanup_says_what_would_go_and_touches_nothing(dead: Path) -> None:
    before = files_of(dead)
    told = json.loads(run_thorp(dead, "init", "--cleanup", "--dry-run", "--json").stdout)
    assert {str(Path(one).relative_to(dead)) for one in told["found"]} == STALE
    assert told["removed"] == []
    assert files_of(dead) == before


def test_cleanup_without_a_person_or_a_yes_does_nothing(dead: Path) -> None:
    before = files_of(dead)
    refused = run_thorp(dead, "init", "--cleanup")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert files_of(dead) == before


def test_cleanup_removes_exactly_what_is_stale(dead: Path) -> None:
    before = files_of(dead)
    done = run_thorp(dead, "init", "--cleanup", "--yes")
    assert done.returncode == 0
    assert files_of(dead) == {name: content for name, content in before.items() if name not in STALE}
    assert run_thorp(dead, "init", "--cleanup", "--yes").stdout == "Nothing to clean up.\n"
    with running_node(dead) as after:
        assert after.status()["stopped_cleanly"] is False  # the database's own marks are no litter


def test_cleanup_is_refused_while_a_node_runs(node: NodeProcess) -> None:
    refused = node.thorp("init", "--cleanup", "--yes")
    assert refused.returncode == 8
    assert f"process {node.process.pid}" in refused.stderr
    assert node.status()["node"]["state"] == "running"
    assert node.paths.owner_token.exists()


def test_a_node_needs_no_cleanup_to_start_over_a_dead_one(dead: Path) -> None:
    with running_node(dead) as node:
        assert node.status()["node"]["state"] == "running"
        assert (dead / "run" / "mine.txt").exists()


def test_a_socket_somebody_answers_on_is_not_replaced(home: Path) -> None:
    assert run_thorp(home, "init").returncode == 0
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(home / "run" / "api.sock"))
        other.listen()
        refused = run_thorp(home, "up", "--port", "0")
    assert refused.returncode == 8
    assert "Another process listens on" in refused.stderr
    with running_node(home) as node:
        assert node.status()["node"]["state"] == "running"
