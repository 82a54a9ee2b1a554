"""A node to measure: started for a bench, asked over connections that stay open, with its CPU time in view."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far."""
    spent = (int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(spent) / 1e9


@dataclass(frozen=True)
class Measured:
    """A running node and the header of its owner."""

    pid: int
    port: int
    owner: dict[str, str]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def cpu(self) -> float:
        return cpu_seconds(self.pid)


@contextlib.contextmanager
def running(home: str) -> Generator[Measured]:
    """A node in `home` from ready to its end."""
    reading, writing = os.pipe()
    with (
        subprocess.Popen(
            [sys.executable, "-m", "thorp", "up", "--port", "0", "--ready-fd", str(writing)],
            env={**os.environ, "THORP_HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
        ) as process,
        os.fdopen(reading) as told,
    ):
        os.close(writing)
        said = json.loads(told.readline() or "{}")
        if "ready" not in said:
            raise SystemExit(f"the node in {home} did not start: {said}")
        token = Path(home, "run", "owner.token").read_text().strip()
        try:
            yield Measured(
                process.pid,
                int(said["ready"]["address"].rpartition(":")[2]),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
        finally:
            process.terminate()


@contextlib.contextmanager
def node_of_its_own() -> Generator[Measured]:
    with tempfile.TemporaryDirectory() as home, running(home) as node:
        yield node
