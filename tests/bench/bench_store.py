"""How much faster many waiters are served by one commit than each by its own, in one run on one disk.

`python tests/bench/bench_store.py [folder]`: the folder decides which disk is measured. Nothing is asserted.
"""

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from thorp.base.clock import SystemClock
from thorp.store.database import Database
from thorp.store.migrations import Migration
from thorp.store.writer import Durability

SCHEMA = (Migration(1, "facts", "CREATE TABLE facts (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"),)
BODY = bytes(210)
ROUNDS = 5
SINGLES = 300
WAITERS = 256
EACH = 20  # writes of each waiter in a round


def insert(connection: sqlite3.Connection) -> int | None:
    return connection.execute("INSERT INTO facts (body) VALUES (?)", (BODY,)).lastrowid


def bare_singles(path: Path) -> float:
    """Commits a second of bare sqlite3 with synchronous=FULL."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    started = time.perf_counter()
    for _ in range(SINGLES):
        insert(connection)
    took = time.perf_counter() - started
    connection.close()
    return SINGLES / took


async def waiting(database: Database, waiters: int, each: int, durability: Durability, delays: list[float]) -> float:
    """Acknowledged writes a second with so many waiters, each writing again when it was told."""

    async def waiter() -> None:
        for _ in range(each):
            started = time.perf_counter()
            await database.write(insert, durability=durability)
            delays.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(waiter() for _ in range(waiters)))
    return waiters * each / (time.perf_counter() - started)


def measure(folder: Path) -> dict[str, float]:
    path = folder / "bench.db"
    database = Database(path, SCHEMA, SystemClock())
    database.open()
    rates: dict[str, list[float]] = {}
    delays: dict[str, list[float]] = {}
    for _ in range(ROUNDS):  # interleaved, so that the disk's moods meet all of them
        rates.setdefault("single_full", []).append(bare_singles(path))
        for durability in Durability:
            for waiters in (1, 16, WAITERS):
                name = f"{durability.name.lower()}_{waiters}"
                each = SINGLES if waiters == 1 else EACH
                spent = delays.setdefault(name, [])
                rates.setdefault(name, []).append(asyncio.run(waiting(database, waiters, each, durability, spent)))
    database.close()
    result = {f"{name}_per_s": statistics.median(values) for name, values in rates.items()}
    result |= {f"{name}_ack_p50_ms": 1000 * statistics.median(values) for name, values in delays.items()}
    result["ratio"] = result[f"fact_{WAITERS}_per_s"] / result["single_full_per_s"]
    return result


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        result = measure(Path(folder))
    for name, value in result.items():
        print(f"{name:24} {value:12.2f}")
    print(f"{WAITERS} waiters against single FULL commits: {result['ratio']:.1f} x (wanted: 10 or more)")
    print(json.dumps({"bench": "store", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
