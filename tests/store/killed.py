"""Writes facts until it is killed, and prints each number once it is acknowledged."""

import asyncio
import itertools
import sys
from pathlib import Path

from tests.store.conftest import ROWS
from thorp.base.clock import SystemClock
from thorp.store.database import Database

WAITERS = 8


async def write_for_ever(database: Database) -> None:
    with database.read() as connection:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM rows").fetchone()
    numbers = itertools.count(last + 1)

    async def waiter() -> None:
        for number in numbers:
            await database.write(
                lambda c, n=number: c.execute("INSERT INTO rows VALUES (?, ?)", (n, f"{n:050}")).rowcount
            )
            print(number, flush=True)

    await asyncio.gather(*(waiter() for _ in range(WAITERS)))


def main() -> None:
    print("opening", flush=True)
    database = Database(Path(sys.argv[1]), ROWS, SystemClock())
    database.open()
    print("open", flush=True)
    asyncio.run(write_for_ever(database))


if __name__ == "__main__":
    main()
