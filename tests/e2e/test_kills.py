"""kill -9 at any moment: what was acknowledged is there, what was not harms nothing, and the next start just works.

THORP_TEST_KILLS says how often (up to 240), THORP_TEST_SEED repeats the moments of an earlier run.
"""

import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from thorp.app.lock import read_holder
from thorp.net.blocking import BadAnswerError, BlockingClient, UnreachableError
from thorp.testing.process import NodeProcess, environment_of, processes_of, run_thorp, running_node, start_node

KILLS = int(os.environ.get("THORP_TEST_KILLS", "20"))  # read before the tests hide the person's settings
SEED = int(os.environ.get("THORP_TEST_SEED", secrets.randbelow(1_000_000)))
WRITERS = 4
MOST_WRITES = 60  # acknowledged before a kill
LONGEST_START = 0.4  # seconds into a start; some kills come after it is over, which is as good


@dataclass
class Promises:
    """What this home's nodes have acknowledged, over all their lives."""

    created: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __len__(self) -> int:
        return len(self.created) + len(self.revoked)

    def keep(self, kept: set[str], key_id: str) -> None:
        with self.news:
            kept.add(key_id)
            self.news.notify_all()

    def wait_for(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self) >= count, 60), f"{count} writes, {len(self)} acknowledged"


def make_keys(client: BlockingClient, promises: Promises) -> None:
    """Make keys and revoke them, until the node is gone. At most one is left alive: a node keeps 1,000 of those."""
    try:
        while True:
            made = client.request("POST", "/api/v1/keys", {"name": "load"})
            assert made.status == 201, made
            promises.keep(promises.created, made.data["id"])
            assert client.request("DELETE", f"/api/v1/keys/{made.data['id']}").status == 200
            promises.keep(promises.revoked, made.data["id"])
    except (UnreachableError, BadAnswerError):
        return  # the node was killed; one that only keeps silent is another error, and fails the test


@contextmanager
def load(node: NodeProcess, promises: Promises) -> Iterator[None]:
    """Some over the socket, some over TCP. It ends when the node does."""
    token = node.paths.owner_token.read_text().strip()
    clients = [node.owner() if number % 2 else node.over_tcp(token) for number in range(WRITERS)]
    threads = [threading.Thread(target=make_keys, args=(client, promises)) for client in clients]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def check(node: NodeProcess, promises: Promises) -> None:
    listed = {row["id"]: row["revoked"] for row in node.owner().request("GET", "/api/v1/keys").data["keys"]}
    assert promises.created - listed.keys() == set()
    assert {key_id for key_id in promises.revoked if listed[key_id] is None} == set()


def kill_a_starting_node(home: Path, port: int, seconds: float) -> None:
    command = [sys.executable, "-m", "thorp", "up", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment_of(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as starting:
        time.sleep(seconds)  # the moment is the point; nothing waits for anything
        starting.kill()
        starting.wait()
        assert processes_of(starting.pid) == set()


def test_kills_under_load_lose_nothing_and_orphan_nothing(home: Path) -> None:
    moments, promises = random.Random(SEED), Promises()  # noqa: S311  (moments, not secrets)
    print(f"THORP_TEST_SEED={SEED}")
    with running_node(home) as first:
        port, socket_before = first.port, 0
    for _ in range(KILLS):
        node = start_node(home, flags=("--port", str(port)))  # which proves that the port is free again
        with ExitStack() as undo:
            undo.callback(node.end, signal.SIGKILL)
            assert node.status()["stopped_cleanly"] is (socket_before == 0)
            assert node.paths.socket.stat().st_ctime_ns != socket_before
            socket_before = node.paths.socket.stat().st_ctime_ns
            check(node, promises)
            with load(node, promises):
                promises.wait_for(len(promises) + moments.randrange(MOST_WRITES))
                undo.close()
        assert processes_of(node.process.pid) == set()
        assert read_holder(node.paths.lock) is None
    with running_node(home, flags=("--port", str(port))) as last:
        check(last, promises)
        assert last.end() == 0
    with running_node(home) as after:
        assert after.status()["stopped_cleanly"] is True
        check(after, promises)
    with closing(sqlite3.connect(home / "data" / "thorp.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    print(f"{KILLS} kills, {len(promises.created)} keys made, {len(promises.revoked)} of them revoked")


def test_kills_while_the_node_starts_leave_a_home_that_starts(home: Path) -> None:
    moments = random.Random(SEED)  # noqa: S311  (moments, not secrets)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(max(4, KILLS // 2)):
        kill_a_starting_node(home, port, moments.uniform(0, LONGEST_START))
    with running_node(home, flags=("--port", str(port))) as node:
        made = node.key("inference")
        node.end(signal.SIGKILL)
    with running_node(home) as after:
        assert made["id"] in {row["id"] for row in after.owner().request("GET", "/api/v1/keys").data["keys"]}
        assert all(row["state"] == "running" for row in after.status()["services"])


def test_commands_see_that_a_killed_node_is_gone(home: Path) -> None:
    with running_node(home) as node:
        node.end(signal.SIGKILL)
        assert node.paths.socket.exists()
    told = run_thorp(home, "keys", "list")
    assert (told.returncode, told.stderr.count("\n")) == (3, 1)
    assert "is stopped" in told.stderr
    assert run_thorp(home, "down").returncode == 0
