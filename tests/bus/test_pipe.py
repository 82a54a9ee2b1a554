"""A bounded hose with one reader and one writer."""

import asyncio

from thorp.base.tasks import TaskScope
from thorp.bus.pipe import Pipe


async def drained(pipe: Pipe[int]) -> list[int]:
    return [item async for item in pipe.items()]


def test_items_come_in_order_and_then_the_end() -> None:
    async def story() -> list[int]:
        pipe = Pipe[int](room=2)

        async def write() -> None:
            for number in range(20):
                await pipe.put(number)
            pipe.end()

        async with TaskScope("test") as scope:
            scope.start("write", write())
            return await drained(pipe)

    assert asyncio.run(story()) == list(range(20))


def test_a_writer_waits_for_a_slow_reader() -> None:
    async def story() -> bool:
        pipe = Pipe[int](room=1)
        await pipe.put(1)
        async with TaskScope("test") as scope:
            second = scope.start("second", pipe.put(2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waited = not second.done()
            await anext(pipe.items())
            await second
            return waited

    assert asyncio.run(story())


def test_what_was_written_before_an_error_is_still_delivered() -> None:
    async def story() -> list[int]:
        pipe, seen = Pipe[int](), list[int]()
        await pipe.put(1)
        pipe.end(KeyError("broken"))
        try:
            async for item in pipe.items():
                seen.append(item)
        except KeyError:
            return seen
        raise AssertionError("the error was not told")

    assert asyncio.run(story()) == [1]
