"""A real node as a real process, in a home of its own, ended by its process id."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from thorp.app.lock import read_holder
from thorp.app.paths import Paths
from thorp.app.ready import Ready, StartFailed, parse_line
from thorp.base.clock import SystemClock
from thorp.base.errors import ThorpError
from thorp.net.blocking import BlockingClient, SseFrame

T = TypeVar("T")
PATIENCE: Final = 60.0  # seconds until a hanging child fails the test; nothing is measured by it
ANY_PORT: Final = ("--port", "0")
# No node of a test calls into the LAN, whatever its test makes it do.
QUIET: Final = {
    "THORP_LAN_ENABLED": "false",
    "THORP_MESH_HOST": "127.0.0.1",
    "THORP_MESH_PORT": "0",
    "THORP_SWARM_PORT": "0",
    "THORP_SWARM_TRACKER_PORT": "0",
}
CHANGES: Final = "/api/v1/stream"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody holds there just now."""
    with socket.create_server((host, 0)) as server:
        return server.getsockname()[1]


def until(condition: Callable[[], T | None], what: str) -> T:
    """The first true answer of `condition`, asked again and again; a test that waits in vain says for what."""
    clock = SystemClock()
    end = clock.monotonic() + PATIENCE
    while not (answer := condition()):
        if clock.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE:g} s in vain: {what}")
        time.sleep(0.01)
    return answer


def processes_of(session: int) -> set[int]:
    """Every process of a session that still runs; what has ended and was not reaped does not count."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, its_session, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(its_session) == session and state not in "ZX":
                found.add(int(stat.parent.name))
    return found


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """A clean environment: no proxies, no settings, nothing of the person who runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ}  # noqa: TID251  (what a child inherits)
    return kept | {"HOME": str(home), "THORP_HOME": str(home), "PYTHONUNBUFFERED": "1"} | QUIET | more


def run(words: Sequence[str], **how: Any) -> "subprocess.CompletedProcess[str]":
    """One program, to its end; `how` is what `subprocess.run` takes."""
    given: dict[str, Any] = {"timeout": PATIENCE} | how
    return subprocess.run(words, capture_output=True, text=True, check=False, **given)  # noqa: S603  (our own programs and our own words)


def begin(words: Sequence[str], **how: Any) -> "subprocess.Popen[bytes]":
    """A program that goes on meanwhile; `how` is what `subprocess.Popen` takes."""
    given: Any = {"stdin": subprocess.DEVNULL} | how
    return subprocess.Popen[bytes](words, **given)


def run_thorp(
    home: Path, *words: str, stdin: str = "", through: tuple[str, ...] = (), **more: str
) -> "subprocess.CompletedProcess[str]":
    """One command line, to its end; `through` is what begins it, such as a program that enters a namespace."""
    return run([*through, sys.executable, "-m", "thorp", *words], input=stdin, env=environment_of(home, **more))


@dataclass(eq=False)
class Watching:
    """Reads a stream in a thread of its own, so that a test can do something meanwhile and see what came of it."""

    frames: Iterator[SseFrame]
    seen: list[SseFrame] = field(default_factory=list[SseFrame])  # taken by the test so far
    failure: ThorpError | None = None  # what broke the stream; a cut between two events looks like an end
    _arrived: "queue.Queue[SseFrame | None]" = field(default_factory=queue.Queue[SseFrame | None])
    _begun: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for frame in self.frames:
                self._arrived.put(frame)
                self._begun.set()
        except ThorpError as error:
            self.failure = error
        finally:
            self._arrived.put(None)
            self._begun.set()

    def begun(self) -> "Watching":
        """The same, once its first frame is here: what happens from now on is seen."""
        if not self._begun.wait(PATIENCE):
            raise AssertionError("the stream never began")
        return self

    def take(self) -> SseFrame | None:
        """The next frame; None at the end."""
        frame = self._arrived.get(timeout=PATIENCE)
        if frame is None:
            self._thread.join(PATIENCE)
        else:
            self.seen.append(frame)
        return frame

    def change(self, kind: str) -> dict[str, Any]:
        """The next change of one kind; everything before it is passed over."""
        while frame := self.take():
            if frame.event == "change" and frame.data["kind"] == kind:
                return frame.data
        raise AssertionError(f"the stream ended without a change `{kind}`: {self.failure}")

    def rest(self) -> list[SseFrame]:
        """Everything until the end."""
        before = len(self.seen)
        while self.take():
            pass
        return self.seen[before:]


@dataclass(slots=True)
class NodeProcess:
    """A node in the foreground of a child process."""

    home: Path
    process: "subprocess.Popen[bytes]"
    ready: Ready
    through: tuple[str, ...] = ()  # what began it, and begins its command lines

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

    def status(self) -> dict[str, Any]:
        return self.owner().request("GET", "/api/v1/status").data

    def watch(self, method: str = "GET", path: str = CHANGES, body: object = None) -> Watching:
        """A stream of this node, as its owner sees it; without arguments that of its changes."""
        watching = Watching(self.owner().events(method, path, body))
        return watching.begun() if path == CHANGES else watching

    def thorp(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """One command line of this node's owner."""
        return run_thorp(self.home, *words, through=self.through, **more)

    def log(self) -> list[dict[str, str]]:
        """Everything this home's nodes have logged so far."""
        return [json.loads(line) for line in (self.paths.logs / "thorp.log").read_text().splitlines()]

    def processes(self) -> set[int]:
        """Every running process that belongs to this node."""
        return processes_of(self.process.pid)

    def send(self, wire: socket.socket, method: str, path: str, body: bytes = b"", *headers: str) -> None:
        """Connect a Unix socket and send a request of the owner, byte by byte as it is written here."""
        wire.connect(str(self.paths.socket))
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def bytes_of(self, method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
        """The whole answer to such a request, head included."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(PATIENCE)
            self.send(wire, method, path, body, *headers)
            return b"".join(iter(lambda: wire.recv(65_536), b""))

    def figures(self) -> dict[str, float]:
        """What `/metrics` says: each sample as it is written there, labels included, and its value."""
        lines = self.bytes_of("GET", "/metrics").decode().partition("\r\n\r\n")[2].splitlines()
        samples = (line.rpartition(" ") for line in lines if line.startswith("thorp_"))
        return {sample: float(value) for sample, _, value in samples}

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


def start_node(
    home: Path, *words: str, flags: tuple[str, ...] = ANY_PORT, through: tuple[str, ...] = (), **more: str
) -> NodeProcess:
    """Start a node on a free port and wait until it is ready. It has a session of its own."""
    reading, writing = os.pipe()
    output = home.parent / f"{home.name}.output"
    with output.open("ab") as log, os.fdopen(reading, "rb") as told:
        process = begin(
            [*through, sys.executable, "-m", "thorp", "up", *flags, *words, "--ready-fd", str(writing)],
            env=environment_of(home, **more),
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        said = parse_line(told.readline())
    if isinstance(said, Ready):
        return NodeProcess(home, process, said, through)
    process.wait(PATIENCE)
    raise DidNotStartError(said, output.read_text(errors="replace"))


@contextlib.contextmanager
def running_node(home: Path, *words: str, flags: tuple[str, ...] = ANY_PORT, **more: str) -> Generator[NodeProcess]:
    """A node for the length of a block."""
    node = start_node(home, *words, flags=flags, through=(), **more)
    try:
        yield node
    finally:
        try:
            node.end()
        except subprocess.TimeoutExpired:
            node.end(signal.SIGKILL)
            raise


@contextlib.contextmanager
def detached_node(home: Path, *words: str, **more: str) -> Generator[dict[str, Any]]:
    """What `thorp up --detach` says; whatever then runs on this home is gone after the block."""
    up = run_thorp(home, "up", "--detach", "--json", *ANY_PORT, *words, through=(), **more)
    try:
        if up.returncode:
            raise DidNotStartError(None, up.stderr)
        yield json.loads(up.stdout)
    finally:
        lock = home / "run" / "lock"
        if run_thorp(home, "down").returncode and (holder := read_holder(lock)):
            os.kill(holder.pid, signal.SIGKILL)
            until(lambda: read_holder(lock) is None, "the killed node is gone")
