"""What `thorp --help` costs in CPU time, beside a bare interpreter, in one run on one machine.

`python tests/bench/bench_cli.py [rounds]`: the smallest of so many runs counts, interleaved. Nothing is asserted.
"""

import resource
import subprocess
import sys

ROUNDS = 9
BUDGET = 120  # ms, of `thorp --help`
COMMANDS = {
    "bare interpreter": ("-c", "pass"),
    "import click": ("-c", "import click"),
    "thorp --help": ("-m", "thorp", "--help"),
    "thorp keys create --help": ("-m", "thorp", "keys", "create", "--help"),
    "thorp config check": ("-m", "thorp", "config", "check"),
}


def cpu_ms(arguments: tuple[str, ...]) -> float:
    """User and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measured(rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            taken[name].append(cpu_ms(arguments))
    return {name: min(times) for name, times in taken.items()}


def main() -> None:
    best = measured(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    bare = best["bare interpreter"]
    for name, ms in best.items():
        print(f"{name:<26} {ms:6.1f} ms CPU, {ms / bare:5.1f} times the bare interpreter")
    ratio = best["thorp --help"] / best["import click"]
    print(f"`thorp --help` takes {ratio:.2f} times what click alone takes; its budget is {BUDGET} ms")


if __name__ == "__main__":
    main()
