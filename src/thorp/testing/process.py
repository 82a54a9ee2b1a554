"""A real node as a real process, in a home of its own, ended by its process id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thorp.app.paths import Paths
from thorp.app.ready import Ready, StartFailed, parse_line
from thorp.net.blocking import BlockingClient

PATIENCE: Final = 60.0  # seconds until a hanging child fails the test; nothing is measured by it


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """A clean environment: no proxies, no settings, nothing of the person who runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ}  # noqa: TID251
    return kept | {"HOME": str(home), "THORP_HOME": str(home), "PYTHONUNBUFFERED": "1"} | more


def run_thorp(home: Path, *words: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """One command line, to its end."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "thorp", *words],
        env=environment_of(home, **more),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass(slots=True)
class NodeProcess:
    """A node in the foreground of a child process."""

    home: Path
    process: "subprocess.Popen[bytes]"
    ready: Ready

    @property
    def port(self) -> int:
        return int(self.ready.address.rpartition(":")[2])

    @property
    def paths(self) -> Paths:
        run, data = self.home / "run", self.home / "data"
        return Paths(
            self.home, self.home / "config.toml", self.home / "keys", data, run, run / "lock", self.home / "logs"
        )

    def owner(self) -> BlockingClient:
        """The owner, over the socket."""
        return BlockingClient.unix(self.paths.socket)

    def over_tcp(self, key: str = "") -> BlockingClient:
        return BlockingClient.url(self.ready.address, key)

    def connect(self) -> socket.socket:
        """A bare connection to the local listener."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        """A new API key as the node answers with it."""
        answer = self.owner().request("POST", "/api/v1/keys", {"name": "test", "scopes": list(scopes), **more})
        return answer.data

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; answers with the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class DidNotStartError(Exception):
    """The node ended before it was ready; carries what it said."""

    def __init__(self, said: StartFailed | None, output: str) -> None:
        super().__init__(f"{said}\n{output}")
        self.said = said


def start_node(home: Path, *words: str, **more: str) -> NodeProcess:
    """Start a node on a free port and wait until it is ready."""
    reading, writing = os.pipe()
    output = home.parent / f"{home.name}.output"
    with output.open("ab") as log, os.fdopen(reading, "rb") as told:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "thorp", "up", "--port", "0", *words, "--ready-fd", str(writing)],
            env=environment_of(home, **more),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
        )
        os.close(writing)
        said = parse_line(told.readline())
    if isinstance(said, Ready):
        return NodeProcess(home, process, said)
    process.wait(PATIENCE)
    raise DidNotStartError(said, output.read_text(errors="replace"))


@contextlib.contextmanager
def running_node(home: Path, *words: str, **more: str) -> Generator[NodeProcess]:
    """A node for the length of a block."""
    node = start_node(home, *words, **more)
    try:
        yield node
    finally:
        try:
            node.end()
        except subprocess.TimeoutExpired:
            node.end(signal.SIGKILL)
            raise
