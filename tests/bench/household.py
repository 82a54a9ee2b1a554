"""A household to measure: nodes that have joined, one of which has a model, and other ways to its bytes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thorp.testing.gguf import tiny_gguf
from thorp.testing.machines import Machine, VillageNode
from thorp.testing.village import Village

REPO = "bench/Bench-1B-GGUF"
REF = f"{REPO}:q4_k_m"
FILE = "Bench-1B-Q4_K_M.gguf"
HTTP_PORT, TRACKER_PORT = 8088, 8089
TICK = os.sysconf("SC_CLK_TCK")
# As fast as a file can be served: the kernel sends it from its cache, nothing of it passes through the program.
SENDFILE = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1], "rb") as file:
            size, at = os.fstat(file.fileno()).st_size, 0
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            while at < size:
                at += os.sendfile(self.connection.fileno(), file.fileno(), at, size - at)
    def log_message(self, *said):
        pass
with http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[2])), Answer) as server:
    print("ready", flush=True)
    server.serve_forever()
"""
# A tracker that answers everybody with the one seed.
TRACKER = """
import http.server, socket, sys
PEER = socket.inet_aton(sys.argv[1]) + int(sys.argv[2]).to_bytes(2, "big")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"d8:intervali60e5:peers6:" + PEER + b"e")
    def log_message(self, *said):
        pass
with http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[3])), Answer) as server:
    print("ready", flush=True)
    server.serve_forever()
"""
ARIA = (
    "aria2c",
    "--quiet",
    "--seed-time=0",
    "--enable-dht=false",
    "--bt-enable-lpd=false",
    "--enable-peer-exchange=false",
    "--file-allocation=none",
    "--allow-overwrite=true",
    "--bt-hash-check-seed=false",
)


@dataclass(frozen=True)
class Spent:
    """What one or several programs took together, the node of the machine they ran on included."""

    wall: float
    cpu: float


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all its threads, those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def sent_by(machine: Machine) -> int:
    """Bytes that left its one cable so far, as the kernel counts them."""
    told = machine.namespace.do("ip", "-s", "-j", "link", "show", "dev", "eth0")
    return json.loads(told)[0]["stats64"]["tx"]["bytes"]


def at_once(machines: Sequence[VillageNode], words: Sequence[str]) -> Spent:
    """The same program on each of them at the same time, until the last one has ended well."""
    before = sum(cpu_of(one.process.process.pid) for one in machines if one.running)
    began, children = time.perf_counter(), os.times()
    programs = [
        subprocess.Popen(
            [*one.through, *words],
            env=one.environment(),
            cwd=one.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in machines
    ]
    said = [one.communicate()[1] for one in programs]
    wall, after = time.perf_counter() - began, os.times()
    if any(one.returncode for one in programs):
        raise SystemExit("\n".join(said))
    cpu = after.children_user + after.children_system - children.children_user - children.children_system
    cpu += sum(cpu_of(one.process.process.pid) for one in machines if one.running) - before
    return Spent(wall, cpu)


def until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.1)


@dataclass(frozen=True)
class House:
    """One node that has the model, and others that can have it."""

    village: Village
    seed: VillageNode
    others: tuple[VillageNode, ...]

    @property
    def blob(self) -> Path:
        return next((self.seed.home / "hub").glob("models--*/blobs/*"))

    @property
    def torrent(self) -> Path:
        return next((self.seed.home / "data" / "torrents").iterdir())

    def pull(self, *machines: VillageNode) -> Spent:
        """Each pulls from the household, and has forgotten it afterwards."""
        spent = at_once(machines, [sys.executable, "-m", "thorp", "pull", REF, "--from", "lan"])
        for one in machines:
            one.told("models", "rm", REF, "--yes")
        os.sync()  # what one way has left to be written is not the burden of the next
        return spent

    def curl(self, *machines: VillageNode) -> Spent:
        url = f"http://{self.seed.address}:{HTTP_PORT}/"
        return self._into("by-curl", machines, ["curl", "-sSf", "-o", "by-curl", url])

    def aria(self, *machines: VillageNode) -> Spent:
        tracker = f"--bt-tracker=http://{self.seed.address}:{TRACKER_PORT}/announce"
        return self._into(FILE, machines, [*ARIA, tracker, str(self.torrent)])

    def _into(self, file: str, machines: Sequence[VillageNode], words: Sequence[str]) -> Spent:
        spent = at_once(machines, words)
        for one in machines:
            if (one.folder / file).stat().st_size != self.blob.stat().st_size:
                raise SystemExit(f"{words[0]} did not bring all of it")
            (one.folder / file).unlink()
        os.sync()
        return spent


@contextmanager
def house(folder: Path, mib: int, names: Sequence[str], rate: str | None = None) -> Generator[House]:
    """All have joined the first one, which has the model; the hub is away."""
    with Village(names, rate, at=folder) as village:
        top = folder / "models"
        (top / REPO).mkdir(parents=True)
        tiny_gguf(top / REPO / FILE, pad_to=mib * 1024 * 1024)
        seed, *others = (village.node(name) for name in names)
        village.hub(top)
        seed.start()
        at_once([seed], [sys.executable, "-m", "thorp", "pull", REF])
        village.cut_hub()
        for other in others:
            other.start()
            other.told("lan", "join", seed.told("lan", "invite")["link"])
        made = House(village, seed, tuple(others))
        programs = (
            (SENDFILE, str(made.blob), str(HTTP_PORT)),
            (TRACKER, seed.address, "7081", str(TRACKER_PORT)),
        )
        for program in programs:
            told = seed.begin([sys.executable, "-c", *program]).stdout
            assert told
            told.readline()
        for other in others:
            until(lambda other=other: all_are_here(other, len(others)))
        os.sync()
        yield made


def all_are_here(node: VillageNode, count: int) -> bool:
    """Whether it has heard of all the others, and of what they have."""
    rows = [one for one in node.told("lan", "peers")["peers"] if not one["this"]]
    return len(rows) == count and all(one["swarm_port"] for one in rows) and any(one["models"] for one in rows)
