"""Reading a GGUF header with 150 000 tokens and as many merges: our reader beside the one of the `gguf` package.

`python tests/bench/bench_header.py [rounds]`: the best round counts, in CPU time. Nothing is asserted.
"""

import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from gguf import GGUFReader

from thorp.formats.facts import read_facts
from thorp.formats.gguf import read_gguf
from thorp.testing.gguf import big_vocabulary_gguf

ROUNDS = 7
WANTED_MS = 50


def best_ms(rounds: int, work: Callable[[], object]) -> float:
    spent: list[float] = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        spent.append(1000 * (time.thread_time() - began))
    return min(spent)


def peak_mb(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def measure(path: Path, rounds: int) -> dict[str, float]:
    result = {
        "file_mb": path.stat().st_size / 1e6,
        "ours_ms": best_ms(rounds, lambda: read_gguf(path)),
        "facts_ms": best_ms(rounds, lambda: read_facts([path])),
        "package_ms": best_ms(1, lambda: GGUFReader(path)),  # seconds each
        "ours_peak_mb": peak_mb(lambda: read_gguf(path)),
    }
    result["ratio"] = result["package_ms"] / result["ours_ms"]
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = big_vocabulary_gguf(Path(folder) / "large.gguf")
        result = measure(path, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    for name, value in result.items():
        print(f"{name:<14} {value:10.2f}")
    print(f"our reader takes {result['ours_ms']:.1f} ms (wanted: {WANTED_MS} or less)")
    print(f"the `gguf` package's reader takes {result['ratio']:.0f} times as long")
    print(json.dumps({"bench": "header", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
