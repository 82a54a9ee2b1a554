"""Fills a disk of one mebibyte under an open database and reports what happened, as JSON.

A program of its own, because it mounts that disk in a mount namespace of its own.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.store.conftest import ROWS
from thorp.base.clock import SystemClock
from thorp.base.files import DISK, DiskFullError, write_atomically
from thorp.store.database import Database

MOST_ROWS = 2000  # of 3 kB; the disk holds a fraction of them


async def write_until_full(add: Callable[[int], Awaitable[int]]) -> tuple[list[int], str]:
    """The rows that were acknowledged, and what the first refused one was told."""
    acknowledged: list[int] = []
    for number in range(MOST_ROWS):
        try:
            acknowledged.append(await add(number))
        except DiskFullError as error:
            return acknowledged, error.message
    return acknowledged, "never refused"


def fill(folder: Path) -> dict[str, object]:
    async def add(number: int) -> int:
        word = f"{number:03000}"
        await database.write(lambda c: c.execute("INSERT INTO rows VALUES (?, ?)", (number, word)).rowcount)
        return number

    async def together(numbers: range) -> list[bool]:
        told = await asyncio.gather(*map(add, numbers), return_exceptions=True)
        return [isinstance(answer, DiskFullError) for answer in told]

    def kept() -> list[int]:
        with database.read() as connection:
            return [number for (number,) in connection.execute("SELECT id FROM rows ORDER BY id")]

    ballast = folder / "ballast"
    ballast.write_bytes(bytes(300_000))
    database = Database(folder / "test.db", ROWS, SystemClock())
    database.open()
    acknowledged, refusal = asyncio.run(write_until_full(add))
    report: dict[str, object] = {"acknowledged": len(acknowledged), "refusal": refusal}
    report["batch refused as one"] = all(asyncio.run(together(range(MOST_ROWS, MOST_ROWS + 50))))
    report["acknowledged rows survive"] = kept() == acknowledged
    report["file refused"] = refused_a_file(folder)
    ballast.unlink()
    acknowledged.append(asyncio.run(add(len(acknowledged))))
    report["works again"] = kept() == acknowledged
    report["complaints"] = database.check()
    database.close()
    database.open()
    report["survives a restart"] = kept() == acknowledged and database.stopped_cleanly
    database.close()
    return report


def refused_a_file(folder: Path) -> bool:
    path = folder / "config.toml"
    try:
        write_atomically(DISK, path, bytes(200_000))
    except DiskFullError:
        return [entry.name for entry in folder.iterdir() if "config" in entry.name] == []
    return False


def main() -> None:
    folder = sys.argv[1]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    try:
        print(json.dumps(fill(Path(folder))))
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


if __name__ == "__main__":
    main()
