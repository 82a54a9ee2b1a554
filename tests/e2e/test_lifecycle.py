"""From `up` to `down`: one node for one home, whatever happened to the one before."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from thorp.app.lock import Holder, boot_id, process_start, read_holder
from thorp.testing.process import (
    DidNotStartError,
    NodeProcess,
    detached_node,
    run_thorp,
    running_node,
    start_node,
    until,
)


def status(home: Path) -> dict[str, Any]:
    return json.loads(run_thorp(home, "status", "--json").stdout)


def test_up_in_the_background_status_and_down_and_down_again(home: Path) -> None:
    with detached_node(home) as up:
        answer = status(home)
        assert (answer["node"]["state"], answer["node"]["pid"]) == ("running", up["pid"])
        assert os.getsid(up["pid"]) == up["pid"]  # no terminal takes it along
        assert answer["node"]["id"] == up["node_id"]
        assert up["address"] in {row["address"] for row in answer["listeners"] if row["state"] == "open"}
        assert all(row["state"] == "running" for row in answer["services"])
        assert all(row["listed"] for row in answer["capabilities"])
        first = run_thorp(home, "down")
        assert (first.returncode, first.stdout) == (0, "Stopped.\n")
        until(lambda: process_start(up["pid"]) is None, "the process that let go of its home ends")

    second = run_thorp(home, "down", "--json")
    assert (second.returncode, json.loads(second.stdout)) == (0, {"stopped": False})
    stopped = run_thorp(home, "status")
    assert stopped.returncode == 3
    assert stopped.stderr == f"The node of `{home}` is stopped. Start it with `thorp up`.\n"
    assert sorted(path.name for path in (home / "run").iterdir()) == ["lock"]


@pytest.mark.parametrize("words", [(), ("--detach",)])
def test_a_second_node_is_told_who_holds_the_home(node: NodeProcess, words: tuple[str, ...]) -> None:
    second = node.thorp("up", *words)
    assert second.returncode == 8
    assert f"process {node.process.pid}" in second.stderr
    assert f"home `{node.home}`" in second.stderr
    assert "Traceback" not in second.stderr
    assert node.status()["node"]["pid"] == node.process.pid  # and nothing of it was touched
    assert node.paths.owner_token.exists()


def test_after_a_kill_the_next_node_takes_over_and_says_so_until_a_clean_stop(home: Path) -> None:
    with running_node(home) as first:
        assert first.status()["stopped_cleanly"] is None
        first.end(signal.SIGKILL)
        assert run_thorp(home, "status").returncode == 3  # the lock it left counts for nothing
    with running_node(home) as second:
        assert second.status()["stopped_cleanly"] is False
        assert "did not end in order" in second.thorp("status").stdout
        messages = [line["message"] for line in second.log()]
        assert any("its lock was taken over" in message for message in messages)
        assert any("was not closed properly; checking it" in message for message in messages)
        assert second.end() == 0
    with running_node(home) as third:
        assert third.status()["stopped_cleanly"] is True
        assert "did not end in order" not in third.thorp("status").stdout
        assert len([line for line in third.log() if "its lock was taken over" in line["message"]]) == 1


def lock_of_this_process(home: Path, change: Callable[[Holder], Holder]) -> None:
    """What a node with the number of this very process would have left."""
    mine = Holder(os.getpid(), process_start(os.getpid()), boot_id(), 0.0, str(home))
    (home / "run").mkdir(parents=True, mode=0o700)
    (home / "run" / "lock").write_text(json.dumps(asdict(change(mine))))


@pytest.mark.parametrize(
    "change",
    [
        lambda holder: replace(holder, started=holder.started - 1),
        lambda holder: replace(holder, boot="another"),
    ],
    ids=["started at another time", "in another boot"],
)
def test_a_foreign_process_with_the_number_of_a_dead_node_holds_nothing(
    home: Path, change: Callable[[Holder], Holder]
) -> None:
    lock_of_this_process(home, change)
    assert run_thorp(home, "status").returncode == 3
    with running_node(home) as node:
        holder = read_holder(node.paths.lock)
        assert holder is not None
        assert holder.pid == node.process.pid


def test_the_very_process_of_the_lock_holds_the_home(home: Path) -> None:
    lock_of_this_process(home, lambda holder: holder)
    with pytest.raises(DidNotStartError, match=f"process {os.getpid()}") as refused:
        start_node(home).end()
    assert refused.value.said is not None
    assert refused.value.said.exit_code == 8


def test_a_detached_node_that_cannot_start_is_told_by_its_parent(node: NodeProcess, tmp_path: Path) -> None:
    refused = run_thorp(tmp_path / "o", "up", "--detach", "--port", str(node.port))
    assert refused.returncode == 8
    assert f"Port {node.port} on 127.0.0.1 is taken" in refused.stderr
    assert run_thorp(tmp_path / "o", "status").returncode == 3
