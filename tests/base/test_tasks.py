"""Tasks have an owner that awaits their end."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from thorp.base.tasks import TaskScope, working


def test_leaving_the_scope_cancels_and_waits() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    async def story() -> None:
        async with TaskScope("test") as scope:
            scope.start("waits", waits())
            await asyncio.sleep(0)

    asyncio.run(story())
    assert seen == ["ended"]


def test_a_failure_is_logged_with_its_name_and_leaves_the_siblings(caplog: pytest.LogCaptureFixture) -> None:
    failed: list[str] = []

    async def fails() -> None:
        raise LookupError("lost")

    async def works() -> str:
        await asyncio.sleep(0.01)
        return "worked"

    async def story() -> str:
        async with TaskScope("test", lambda name, _error: failed.append(name)) as scope:
            scope.start("fails", fails())
            return await scope.start("works", works())

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(story()) == "worked"
    assert failed == ["test/fails"]
    assert "test/fails" in caplog.text


def test_an_ended_scope_starts_nothing() -> None:
    async def story() -> None:
        scope = TaskScope("test")
        await scope.close()
        scope.start("late", asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="starts nothing new"):
        asyncio.run(story())


@dataclass
class OneLife:
    """Ends when it is told to."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_ready: bool = False

    def ready(self) -> None:
        self.is_ready = True

    async def until_stop(self) -> str:
        await self.over.wait()
        return "over"


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


def test_works_go_on_until_the_tree_wants_the_end() -> None:
    ended: list[str] = []
    life = OneLife()

    async def short() -> None:
        asyncio.get_running_loop().call_later(0.01, life.over.set)

    asyncio.run(working(life, "test", short=short(), long=for_ever(ended)))
    assert (ended, life.is_ready) == (["ended"], True)


def test_a_work_that_fails_ends_the_others_and_is_told() -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        asyncio.run(working(OneLife(), "test", fails=fails(), long=for_ever(ended)))
    assert ended == ["ended"]
