"""A whole verified `thorp pull` beside `curl -o` of the same file from the same hub; and what is here already.

`python tests/bench/bench_pull.py [MiB] [rounds] [folder]`: all are whole processes, interleaved; medians count. The
file is read before, so that the hub's disk plays no part. Nothing is asserted.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from thorp.testing.gguf import tiny_gguf
from thorp.testing.process import environment_of, running_node

MIB = 2048
ROUNDS = 5
QUICK_ROUNDS = 7
REPO = "bench/Bench-1B-GGUF"
FILE = "Bench-1B-Q4_K_M.gguf"
MODEL = "bench:1b:base:q4_k_m"
WANTED = {"rate": 0.8, "cpu_s_per_gib": 2.5, "complete_ms": 150, "listing_ms": 150}
MODELS = 1000


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "thorp.testing.hub", str(folder), "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield json.loads(process.stdout.readline())["hub"]
    finally:
        process.terminate()
        process.wait()


def timed(command: Sequence[str], home: Path, **more: str) -> tuple[float, float]:
    """Wall and CPU seconds of one run, which has to end well."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment_of(home, **more))
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def thorp(*words: str) -> list[str]:
    return [sys.executable, "-m", "thorp", *words]


def pulls(work: Path, endpoint: str, size: int, rounds: int) -> dict[str, float]:
    url = f"{endpoint}/{REPO}/resolve/main/{FILE}"
    curl: list[float] = []
    pull: list[float] = []
    cpu: list[float] = []
    for number in range(rounds):
        out, home = work / "out", work / f"home{number}"
        curl.append(timed(["curl", "-sSfL", "-o", str(out), url], home)[0])
        out.unlink()
        os.sync()  # what curl left to be written is not the pull's burden
        wall, spent = timed(thorp("pull", f"{REPO}:Q4_K_M", "--no-start"), home, HF_ENDPOINT=endpoint)
        pull.append(wall)
        cpu.append(spent)
        if number < rounds - 1:
            shutil.rmtree(home)
        os.sync()
    whole = statistics.median(curl) / statistics.median(pull)
    return {
        "curl_mb_s": size / statistics.median(curl) / 1e6,
        "pull_mb_s": size / statistics.median(pull) / 1e6,
        "rate": whole,
        "cpu_s_per_gib": statistics.median(cpu) / (size / 1024**3),
    }


def quick(home: Path, *words: str) -> float:
    return 1000 * statistics.median(timed(thorp(*words), home)[0] for _ in range(QUICK_ROUNDS))


def many_receipts(home: Path, count: int) -> None:
    """So many models, as far as a listing looks: receipts that share one blob's bytes by hard links."""
    receipt = next((home / "data" / "receipts").rglob("metadata.json"))
    data = json.loads(receipt.read_bytes())
    blob = next((home / "hub").glob("models--*/blobs/*"))
    for number in range(count - 1):
        repo = f"many/Model-{number:04d}"
        folder = home / "data" / "receipts" / repo / data["revision"] / data["artifact"]
        folder.mkdir(parents=True)
        (folder / "metadata.json").write_text(
            json.dumps(data | {"repo": repo, "model_id": f"many-{number}:1b:base:q4_k_m"})
        )
        blobs = home / "hub" / f"models--{repo.replace('/', '--')}" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / blob.name).hardlink_to(blob)
    subprocess.run(thorp("models", "rescan"), check=True, capture_output=True, env=environment_of(home))


def measure(work: Path, mib: int, rounds: int) -> dict[str, float]:
    folder = work / "hub" / REPO
    folder.mkdir(parents=True)
    file = tiny_gguf(folder / FILE, pad_to=mib * 1024 * 1024)[0]
    home = work / f"home{rounds - 1}"
    with hub(work / "hub") as endpoint:
        result = pulls(work, endpoint, file.stat().st_size, rounds)
    result["complete_ms"] = quick(home, "pull", MODEL, "--no-start")
    many_receipts(home, MODELS)
    result["listing_ms"] = quick(home, "models", "--json")
    with running_node(home):
        result["listing_by_node_ms"] = quick(home, "models", "--json")
        result["complete_by_node_ms"] = quick(home, "pull", MODEL)
    result["bare_ms"] = 1000 * statistics.median(
        timed([sys.executable, "-c", "pass"], home)[0] for _ in range(QUICK_ROUNDS)
    )
    return result


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else MIB
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as folder:
        result = measure(Path(folder), mib, rounds)
    for name, value in result.items():
        print(f"{name:<20} {value:10.2f}" + (f"   (wanted: {WANTED[name]})" if name in WANTED else ""))
    print(f"a verified pull of {mib} MiB runs at {result['rate']:.2f} times the rate of curl")
    print(json.dumps({"bench": "pull", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
