"""Group commit: one commit for many, one failure for one."""

import asyncio
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.conftest import ROWS
from thorp.store.database import Database
from thorp.store.failures import BrokenJobError, DatabaseClosedError, DatabaseCrowdedError
from thorp.store.writer import Durability, Limits
from thorp.testing.clock import FakeClock

Connection = sqlite3.Connection


def insert(word: str) -> Callable[[Connection], str]:
    def job(connection: Connection) -> str:
        connection.execute("INSERT INTO rows (word) VALUES (?)", (word,))
        return word

    return job


def words(database: Database) -> list[str]:
    with database.read() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM rows ORDER BY id")]


@dataclass
class Gate:
    """A job that holds the writer's thread until it is opened, so that others wait and share a batch."""

    entered: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    log: list[str] = field(default_factory=list)
    word: str = "gate"

    def job(self, connection: Connection) -> str:
        connection.set_trace_callback(self.log.append)
        self.entered.set()
        assert self.opened.wait(60)
        return insert(self.word)(connection)

    async def hold(self, database: Database) -> "asyncio.Task[str]":
        task = asyncio.create_task(database.write(self.job))
        await asyncio.to_thread(self.entered.wait, 60)
        return task


async def queued(database: Database, *jobs: Callable[[Connection], object]) -> list["asyncio.Task[object]"]:
    """Tasks whose jobs wait in the queue, in this order."""
    tasks = [asyncio.create_task(database.write(job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


def test_a_write_returns_what_its_job_returned(database: Database) -> None:
    assert asyncio.run(database.write(insert("one"))) == "one"
    assert words(database) == ["one"]


def test_all_that_wait_share_one_commit(database: Database) -> None:
    async def scene() -> Gate:
        gate = Gate()
        held = await gate.hold(database)
        tasks = await queued(database, *(insert(f"{number}") for number in range(100)))
        gate.opened.set()
        assert await asyncio.gather(held, *tasks) == ["gate", *(f"{number}" for number in range(100))]
        return gate

    assert asyncio.run(scene()).log.count("COMMIT") == 2  # the gate's own, and one for the hundred
    assert len(words(database)) == 101


def test_a_batch_has_a_cap(path: Path) -> None:
    async def scene() -> Gate:
        gate = Gate()
        held = await gate.hold(database)
        tasks = await queued(database, *(insert(f"{number}") for number in range(10)))
        gate.opened.set()
        await asyncio.gather(held, *tasks)
        return gate

    database = Database(path, ROWS, FakeClock(), limits=Limits(batch=4))
    database.open()
    assert asyncio.run(scene()).log.count("COMMIT") == 1 + 3
    database.close()


def test_a_failing_job_takes_nobody_along(database: Database) -> None:
    def half(connection: Connection) -> None:
        insert("half")(connection)
        raise ValueError("my own mistake")

    async def scene() -> list[object]:
        gate = Gate()
        held = await gate.hold(database)
        tasks = await queued(database, insert("a"), half, insert("a"), insert("b"))
        gate.opened.set()
        return await asyncio.gather(held, *tasks, return_exceptions=True)

    _, first, own, duplicate, last = asyncio.run(scene())
    assert (first, last) == ("a", "b")
    assert isinstance(own, ValueError)
    assert isinstance(duplicate, sqlite3.IntegrityError)
    assert words(database) == ["gate", "a", "b"]


@pytest.mark.parametrize(
    ("asked", "level"),
    [([Durability.FACT], 2), ([Durability.TELEMETRY], 1), ([Durability.TELEMETRY, Durability.FACT], 2)],
)
def test_one_fact_makes_the_whole_batch_durable(database: Database, asked: list[Durability], level: int) -> None:
    def job(connection: Connection) -> int:
        return connection.execute("PRAGMA synchronous").fetchone()[0]

    async def scene() -> set[int]:
        gate = Gate()
        held = await gate.hold(database)
        tasks = [asyncio.create_task(database.write(job, durability=durability)) for durability in asked]
        await asyncio.sleep(0)
        gate.opened.set()
        await held
        return set(await asyncio.gather(*tasks))

    assert asyncio.run(scene()) == {level}


def test_too_many_that_wait_are_told_to_come_back(path: Path) -> None:
    async def scene() -> None:
        gate = Gate()
        held = await gate.hold(database)
        tasks = await queued(database, insert("a"), insert("b"))
        with pytest.raises(DatabaseCrowdedError, match="Try again in a moment") as caught:
            await database.write(insert("c"))
        assert caught.value.retry_after == 1
        gate.opened.set()
        await asyncio.gather(held, *tasks)

    database = Database(path, ROWS, FakeClock(), limits=Limits(room=2))
    database.open()
    asyncio.run(scene())
    assert words(database) == ["gate", "a", "b"]
    database.close()


def test_who_gives_up_while_waiting_has_written_nothing(database: Database) -> None:
    async def scene() -> None:
        gate = Gate()
        held = await gate.hold(database)
        given_up, kept = await queued(database, insert("given up"), insert("kept"))
        given_up.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(held, kept)

    asyncio.run(scene())
    assert words(database) == ["gate", "kept"]


def test_who_gives_up_too_late_has_written_everything(database: Database) -> None:
    heard: list[str] = []

    async def scene() -> None:
        gate = Gate()
        task = asyncio.create_task(database.write(gate.job, committed=heard.append))
        await asyncio.to_thread(gate.entered.wait, 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gate.opened.set()
        await database.write(insert("next"))

    asyncio.run(scene())
    assert heard == ["gate"]
    assert words(database) == ["gate", "next"]


def test_who_gives_up_too_late_does_not_keep_the_others_waiting(database: Database) -> None:
    async def scene() -> None:
        gate, second = Gate(), Gate(word="second")
        held = await gate.hold(database)
        slow, other = await queued(database, second.job, insert("other"))
        gate.opened.set()
        await asyncio.to_thread(second.entered.wait, 60)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        second.opened.set()
        assert await other == "other"
        await held

    asyncio.run(scene())


def test_a_loop_that_is_gone_does_not_stop_the_thread(database: Database) -> None:
    gate = Gate()

    async def scene() -> None:
        await gate.hold(database)  # and asyncio.run cancels it and closes the loop

    asyncio.run(scene())
    gate.opened.set()
    assert asyncio.run(database.write(insert("later"))) == "later"
    assert words(database) == ["gate", "later"]


def test_committed_hears_in_order_and_before_the_one_who_waits(database: Database) -> None:
    heard: list[str] = []

    async def one(number: int) -> None:
        await database.write(insert(f"{number}"), committed=heard.append)
        assert f"{number}" in heard

    async def scene() -> None:
        await asyncio.gather(*(one(number) for number in range(50)))

    asyncio.run(scene())
    assert heard == words(database)


def test_committed_hears_nothing_of_a_failure_and_its_own_failure_is_told(database: Database) -> None:
    heard: list[object] = []

    def refuse(word: str) -> None:
        raise ValueError(word)

    async def scene() -> None:
        with pytest.raises(ZeroDivisionError):
            await database.write(lambda _: 1 / 0, committed=heard.append)
        with pytest.raises(ValueError, match="written"):
            await database.write(insert("written"), committed=refuse)

    asyncio.run(scene())
    assert heard == []
    assert words(database) == ["written"]


def with_connection(connection: Connection) -> None:
    with connection:
        insert("sneaked in")(connection)


def rollback(connection: Connection) -> None:
    connection.execute("ROLLBACK")


def transaction_of_its_own(connection: Connection) -> None:
    connection.execute("COMMIT")
    connection.execute("BEGIN")


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (rollback, BrokenJobError),
        (with_connection, BrokenJobError),
        (transaction_of_its_own, sqlite3.OperationalError),
    ],
)
def test_a_job_that_ends_the_transaction_fails_and_the_thread_goes_on(
    database: Database, job: Callable[[Connection], None], error: type[Exception]
) -> None:
    async def scene() -> None:
        with pytest.raises(error):
            await database.write(job)
        await database.write(insert("next"))

    asyncio.run(scene())
    assert words(database)[-1] == "next"


def test_a_job_that_runs_out_of_rows_does_not_hang_its_caller(database: Database) -> None:
    async def scene() -> None:
        with pytest.raises(BrokenJobError):
            await database.write(lambda connection: next(connection.execute("SELECT 1 FROM rows")))
        with pytest.raises(BrokenJobError):
            await database.reading(lambda connection: next(connection.execute("SELECT 1 FROM rows")))

    asyncio.run(scene())


def test_closing_finishes_what_waits_and_takes_nothing_new(database: Database) -> None:
    async def scene() -> list[object]:
        gate = Gate()
        held = await gate.hold(database)
        tasks = await queued(database, *(insert(f"{number}") for number in range(20)))
        closing = asyncio.create_task(asyncio.to_thread(database.close))
        gate.opened.set()
        await closing
        with pytest.raises(DatabaseClosedError):
            await database.write(insert("late"))
        return await asyncio.gather(held, *tasks)

    assert len(asyncio.run(scene())) == 21
    database.open()
    assert len(words(database)) == 21


def test_nothing_is_written_before_the_start(path: Path) -> None:
    with pytest.raises(DatabaseClosedError, match="not open"):
        asyncio.run(Database(path, ROWS, FakeClock()).write(insert("early")))


class Ending(Enum):
    """How a job of the property below ends."""

    WELL = "well"
    RAISES = "raises after it wrote"
    BREAKS = "breaks a constraint after it wrote"
    MISSPELT = "does not parse"


def job_of(word: str, ending: Ending) -> Callable[[Connection], str]:
    def job(connection: Connection) -> str:
        insert(word)(connection)
        if ending is Ending.RAISES:
            raise LookupError(word)
        if ending is Ending.BREAKS:
            insert(word)(connection)
        if ending is Ending.MISSPELT:
            connection.execute("INSRT")
        return word

    return job


EXPECTED = {
    Ending.RAISES: LookupError,
    Ending.BREAKS: sqlite3.IntegrityError,
    Ending.MISSPELT: sqlite3.OperationalError,
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(Ending), max_size=12), max_size=5), st.integers(1, 8))
def test_exactly_the_jobs_that_succeed_are_visible(rounds: list[list[Ending]], batch: int) -> None:
    async def scene(database: Database) -> list[str]:
        succeeded: list[str] = []
        for number, endings in enumerate(rounds):
            named = {f"{number}/{index}": ending for index, ending in enumerate(endings)}
            writes = (database.write(job_of(word, ending)) for word, ending in named.items())
            told = await asyncio.gather(*writes, return_exceptions=True)
            for (word, ending), answer in zip(named.items(), told, strict=True):
                assert answer == word if ending is Ending.WELL else isinstance(answer, EXPECTED[ending])
            succeeded += [word for word, ending in named.items() if ending is Ending.WELL]
        return succeeded

    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "test.db", ROWS, FakeClock(), limits=Limits(batch=batch))
        database.open()
        succeeded = asyncio.run(scene(database))
        assert words(database) == succeeded
        database.close()
