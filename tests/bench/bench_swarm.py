"""What neighbours are good for: a pull from one, from one by four at once, and what a node with many models costs idle.

`python tests/bench/bench_swarm.py [MiB] [rounds] [one,four,idle]`: whole `thorp pull`s between nodes in network
namespaces, beside `curl` and aria2 on the same wire in the same run; medians count. Needs root. Everything lies in
memory where there is room, so that no disk plays a part; `TMPDIR` chooses another place. Nothing is asserted.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from household import Spent, cpu_of, house, sent_by, until

from thorp.models.sealed import Bytes, sealed
from thorp.models.types import SourceKind
from thorp.swarm.recipes import PIECE, SHA1
from thorp.testing.library import a_library, an_artifact
from thorp.testing.machines import VillageNode
from thorp.testing.village import Village

MIB = 1024
ROUNDS = 5
PARTS = "one,four,idle"
LEECHES = ("b", "c", "d", "e")
RATE = "1gbit"
MODELS = 500
MODEL_BYTES = 4 * 1024**3  # as long as they say, and empty: what is handed out is not read before somebody asks
SETTLE_SECONDS, IDLE_SECONDS = 20.0, 60.0
COPIES = 7  # of the model at most, while four fetch it
PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of its own is made there)
WANTED = {
    "rate_to_curl": ">= 0.5",
    "rate_to_aria2": "> 1",
    "cpu_s_per_gib": "<= 2.5",
    "reads_of_the_file": "1",
    "sooner_than_http": ">= 2.5",
    "idle_resident_mb": "< 150",
    "idle_core_percent": "< 1",
}


def median(rounds: list[Spent]) -> float:
    return statistics.median(one.wall for one in rounds)


def read_by(node: VillageNode) -> int:
    """Bytes that its process has read from files so far; what comes over a line is not among them."""
    return int(Path(f"/proc/{node.process.process.pid}/io").read_text().split()[1])


def one(folder: Path, mib: int, rounds: int) -> dict[str, float]:
    """From one neighbour, and nothing slows the wire."""
    taken: dict[str, list[Spent]] = {"curl": [], "pull": [], "aria2": []}
    size, gib = mib * 1024 * 1024, mib / 1024
    reads: list[float] = []
    with house(folder, mib, ("a", "b")) as made:
        (leech,) = made.others
        for _ in range(rounds):
            taken["curl"].append(made.curl(leech))
            before = read_by(leech)
            taken["pull"].append(made.pull(leech))
            reads.append((read_by(leech) - before) / size)
            taken["aria2"].append(made.aria(leech))
    curl, pull, aria = (median(taken[name]) for name in ("curl", "pull", "aria2"))
    return {
        "curl_mb_s": size / curl / 1e6,
        "aria2_mb_s": size / aria / 1e6,
        "pull_mb_s": size / pull / 1e6,
        "rate_to_curl": curl / pull,
        "rate_to_curl_best": min(one.wall for one in taken["curl"]) / min(one.wall for one in taken["pull"]),
        "rate_to_aria2": aria / pull,
        "reads_of_the_file": statistics.median(reads),
        "cpu_s_per_gib": statistics.median(one.cpu for one in taken["pull"]) / gib,
        "curl_cpu_s_per_gib": statistics.median(one.cpu for one in taken["curl"]) / gib,
    }


def four(folder: Path, mib: int, rounds: int) -> dict[str, float]:
    """Four at once from one, each at the end of a wire of its own."""
    taken: dict[str, list[Spent]] = {"curl": [], "pull": []}
    sent: dict[str, list[float]] = {"curl": [], "pull": []}
    with house(folder, mib, ("a", *LEECHES), RATE) as made:
        for _ in range(rounds):
            for name, way in (("curl", made.curl), ("pull", made.pull)):
                before = sent_by(made.seed)
                taken[name].append(way(*made.others))
                sent[name].append((sent_by(made.seed) - before) / (mib * 1024 * 1024))
    return {
        "four_by_http_s": median(taken["curl"]),
        "four_by_pull_s": median(taken["pull"]),
        "sooner_than_http": median(taken["curl"]) / median(taken["pull"]),
        "copies_sent_http": statistics.median(sent["curl"]),
        "copies_sent_pull": statistics.median(sent["pull"]),
    }


def fill(home: Path, count: int) -> None:
    """So many models, as far as anybody can see who does not read them."""
    library = a_library(home)
    for number in range(count):
        repo, path = f"many/Model-{number:03d}-GGUF", f"Model-{number:03d}-Q4_K_M.gguf"
        receipt = an_artifact(library, repo, {path: f"{number}".encode()}, model_id=f"many-{number}:7b:base:q4_k_m")
        (file,) = receipt.files
        os.truncate(next(library.layout.blobs(repo).iterdir()), MODEL_BYTES)
        pieces = os.urandom(SHA1 * (MODEL_BYTES // PIECE))
        card = {"format": "gguf", "model_id": receipt.model_id, "revision": receipt.revision, "source": "hub"}
        listed = sealed(library.layout, Bytes(file.path, MODEL_BYTES, file.sha256, pieces), card, gated=False)
        source = replace(receipt.source, kind=SourceKind.HUB)
        library.put(replace(receipt, files=(listed,), source=source), {file.sha256: pieces})


def idle(folder: Path) -> dict[str, float]:
    """A node that hands out many models, and a neighbour who wants none of them."""
    with Village(("a", "b"), at=folder) as village:
        seed, other = village.node("a"), village.node("b")
        fill(seed.home, MODELS)
        seed.start()
        before = resident_mb(seed)
        other.start()
        other.told("lan", "join", seed.told("lan", "invite")["link"])
        until(lambda: any(one["models"] == MODELS for one in other.told("lan", "peers")["peers"]))
        time.sleep(SETTLE_SECONDS)
        began = cpu_of(seed.process.process.pid)
        time.sleep(IDLE_SECONDS)
        spent = cpu_of(seed.process.process.pid) - began
        return {
            "alone_resident_mb": before,
            "idle_resident_mb": resident_mb(seed),
            "idle_core_percent": 100 * spent / IDLE_SECONDS,
        }


def resident_mb(node: VillageNode) -> float:
    return int(Path(f"/proc/{node.process.process.pid}/statm").read_text().split()[1]) * PAGE / 1e6


def place(mib: int) -> str | None:
    """In memory, when it has room for all copies and to spare; else wherever temporary files go."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return None
    return str(MEMORY) if shutil.disk_usage(MEMORY).free > COPIES * mib * 1024 * 1024 else None


def shown(result: Mapping[str, float]) -> None:
    for name, value in result.items():
        print(f"{name:<20} {value:10.2f}" + (f"   (wanted: {WANTED[name]})" if name in WANTED else ""), flush=True)


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else MIB
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    parts = (sys.argv[3] if len(sys.argv) > 3 else PARTS).split(",")
    result: dict[str, float] = {}
    for part in parts:
        with tempfile.TemporaryDirectory(dir=place(mib)) as folder:
            at = Path(folder)
            found = idle(at) if part == "idle" else (one if part == "one" else four)(at, mib, rounds)
        shown(found)
        result |= found
    print(json.dumps({"bench": "swarm", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
