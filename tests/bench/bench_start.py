"""How long a node takes from process start until it is ready, what that costs, and what it holds in memory when idle.

`python tests/bench/bench_start.py [rounds]`: medians, beside a bare interpreter, on one machine. Nothing is asserted.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured_node import running

ROUNDS = 7
READY_MS = 700  # wanted at most, from process start
RESIDENT_MB = 90  # wanted at most, when idle
IDLE_SECONDS = 1.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def bare_ms() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return 1000 * (time.perf_counter() - began)


def start(home: str) -> dict[str, float]:
    """One node from nothing to ready, idle for a moment, and to its end."""
    began = time.perf_counter()
    with running(home) as node:
        ready, cpu = time.perf_counter() - began, node.cpu()
        time.sleep(IDLE_SECONDS)
        idle_cpu, resident = node.cpu() - cpu, resident_mb(node.pid)
        began = time.perf_counter()
    return {
        "ready_ms": 1000 * ready,
        "ready_cpu_ms": 1000 * cpu,
        "idle_cpu_ms_per_s": 1000 * idle_cpu / IDLE_SECONDS,
        "resident_mb": resident,
        "stop_ms": 1000 * (time.perf_counter() - began),
    }


def measured(rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as home:
        first = start(home)
        for _ in range(rounds):
            for name, value in (start(home) | {"bare_ms": bare_ms()}).items():
                taken.setdefault(name, []).append(value)
    return {"first_ready_ms": first["ready_ms"]} | {name: statistics.median(all_) for name, all_ in taken.items()}


def main() -> None:
    result = measured(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    result["ratio"] = result["ready_ms"] / result["bare_ms"]
    for name, value in result.items():
        print(f"{name:<20} {value:9.1f}")
    print(f"ready in {result['ready_ms']:.0f} ms (wanted: {READY_MS} or less), {result['ratio']:.1f} bare interpreters")
    print(f"{result['resident_mb']:.0f} MB when idle (wanted: {RESIDENT_MB} or less)")
    print(json.dumps({"bench": "start", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
