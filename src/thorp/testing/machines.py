"""What stands in a village: machines with a network namespace each, nodes that live on some, and the hub outside."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from thorp.testing.hub.faults import Fault
from thorp.testing.namespaces import Namespace
from thorp.testing.process import ANY_PORT, PATIENCE, NodeProcess, begin, environment_of, run, run_thorp, start_node

_SENDING: Final = """
import base64, json, socket, sys
told = json.load(sys.stdin)
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(told["own"]))
wire.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT: any source will do
wire.bind((told["source"], told["source_port"]))
data = [base64.b64decode(one) for one in told["data"]]
for _ in range(told["times"]):
    for one in data:
        wire.sendto(one, (told["address"], told["port"]))
"""


@dataclass(eq=False, slots=True)
class Machine:
    """A machine on the bridge, with a folder and a namespace of its own; nobody knows it yet."""

    name: str
    address: str
    namespace: Namespace
    bridge: Namespace
    port: str  # of the bridge, that its cable ends in
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    _programs: list["subprocess.Popen[bytes]"] = field(default_factory=list["subprocess.Popen[bytes]"])

    @property
    def through(self) -> tuple[str, ...]:
        """What begins a command line that runs here."""
        return self.namespace.through

    def environment(self, **more: str) -> dict[str, str]:
        return environment_of(self.folder, **{**self.variables, **more})

    def run(
        self, words: Sequence[str], *, stdin: str = "", seconds: float = PATIENCE
    ) -> "subprocess.CompletedProcess[str]":
        """One program here, to its end, in this machine's folder."""
        self.folder.mkdir(0o700, exist_ok=True)
        given: dict[str, Any] = {"cwd": self.folder, "env": self.environment(), "input": stdin, "timeout": seconds}
        return run([*self.through, *words], **given)

    def python(self, script: str, *words: str, stdin: str = "") -> str:
        """What a script says; it has to succeed. It may import whatever the tests may."""
        ended = self.run([sys.executable, "-c", script, *words], stdin=stdin)
        if ended.returncode:
            raise AssertionError(ended.stderr)
        return ended.stdout

    def begin(self, words: Sequence[str], *, stdout: int | IO[bytes] = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        """A program that goes on here until it is ended, at the latest with the village."""
        self.folder.mkdir(0o700, exist_ok=True)
        with (self.folder.parent / f"{self.name}.programs").open("ab") as output:
            given: dict[str, Any] = {"cwd": self.folder, "env": self.environment(), "stdout": stdout, "stderr": output}
            process = begin([*self.through, *words], start_new_session=True, **given)
        self._programs.append(process)
        return process

    def send_udp(
        self, *data: bytes, to: str, port: int, source: str = "", source_port: int = 0, times: int = 1
    ) -> None:
        """Send datagrams; `source` may be somebody else's address."""
        told = {
            "own": self.address,
            "data": [base64.b64encode(one).decode() for one in data],
            "address": to,
            "port": port,
            "source": source or self.address,
            "source_port": source_port,
            "times": times,
        }
        ended = self.run([sys.executable, "-I", "-S", "-c", _SENDING], stdin=json.dumps(told))
        if ended.returncode:
            raise AssertionError(ended.stderr)

    def unplug(self) -> None:
        """Pull the cable out; addresses and routes stay, as they do on a real machine."""
        self.bridge.ip(f"link set {self.port} down")

    def plug_in(self) -> None:
        self.bridge.ip(f"link set {self.port} up")

    def leave(self) -> None:
        """End every program that was begun here."""
        for process in self._programs:
            process.kill()
        for process in self._programs:
            process.communicate(timeout=PATIENCE)
        self._programs.clear()


@dataclass(eq=False, slots=True)
class VillageNode(Machine):
    """A machine with a home on it, whose node may run or not."""

    running: NodeProcess | None = None

    @property
    def home(self) -> Path:
        return self.folder

    @property
    def process(self) -> NodeProcess:
        """The running node. `owner()`, `status()`, `watch()`, … work from outside; what takes TCP does not."""
        if self.running is None:
            raise AssertionError(f"the node {self.name} does not run")
        return self.running

    def start(self, *words: str, flags: tuple[str, ...] = ANY_PORT, **more: str) -> NodeProcess:
        """Start the node, and wait until it is ready."""
        if self.running:
            raise AssertionError(f"the node {self.name} runs already")
        given = {**self.variables, **more}
        self.running = start_node(self.home, *words, flags=flags, through=self.through, **given)
        return self.running

    def thorp(self, *words: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        """One command line of this node's owner, whether the node runs or not."""
        given = {**self.variables, **more}
        return run_thorp(self.home, *words, stdin=stdin, through=self.through, **given)

    def told(self, *words: str) -> Any:
        """What a command line that has to succeed answers with `--json`."""
        ended = self.thorp(*words, "--json")
        if ended.returncode:
            raise AssertionError(ended.stderr)
        return json.loads(ended.stdout)

    def stop(self) -> int:
        """Ask the node to end; answers with its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """As a power cut: it gets no chance to do anything."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self.running = self.process, None
        try:
            return process.end(number)
        except subprocess.TimeoutExpired:
            process.end(signal.SIGKILL)
            raise

    def leave(self) -> None:
        with ExitStack() as stack:
            stack.callback(Machine.leave, self)
            if self.running:
                self.stop()


@dataclass(eq=False, slots=True)
class Hub:
    """The fake hub as a process in a namespace of its own, beyond the bridge."""

    namespace: Namespace
    host: str
    cdn_host: str
    port: int
    cdn_port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self, folder: Path, *faults: Fault) -> None:
        """Serve a folder of `org/repo/files` (see `thorp.testing.hub.folder`), and do wrong what it is told to."""
        words = [str(folder), "--json", "--log", str(self.log), "--host", self.host, "--cdn-host", self.cdn_host]
        words += ["--port", str(self.port), "--cdn-port", str(self.cdn_port)]
        for fault in faults:
            words += ["--fault", json.dumps(asdict(fault))]
        self.process = begin(
            [*self.namespace.through, sys.executable, "-m", "thorp.testing.hub", *words],
            env=environment_of(self.log.parent),
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        ready = self.process.stdout.readline() if self.process.stdout else b""
        if not ready:
            raise AssertionError(f"the hub did not start on {folder}")

    def stop(self) -> None:
        """Cut every connection and be gone; what it was asked stays in the log."""
        process, self.process = self.process, None
        if process:
            process.terminate()
            process.communicate(timeout=PATIENCE)

    def asked(self) -> list[dict[str, Any]]:
        """Every request that is over, as `thorp.testing.hub.Asked` says it."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def sent(self, file: str = "") -> int:
        """Bytes of one file, or of all files together, that were sent in requests which are over."""
        of_files = (one for one in self.asked() if one["first"] is not None)
        return sum(one["sent"] for one in of_files if file in ("", one["file"], f"{one['repo']}/{one['file']}"))

    def forget(self) -> None:
        """Begin the log anew."""
        self.log.write_text("")
