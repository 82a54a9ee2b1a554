import asyncio
import threading
from contextlib import aclosing

import pytest

from thorp.base.errors import NotFoundError
from thorp.models.hashing import HashingEndedError
from thorp.models.ports import Stop
from thorp.models.working import Progress, working
from thorp.testing.process import PATIENCE
from thorp.wire.capabilities.models import WorkFrame


def test_what_came_of_it_is_answered_and_short_work_needs_no_frame() -> None:
    async def story() -> list[int]:
        results: list[int] = []
        assert [one async for one in working(lambda _, __: 42, results)] == []
        return results

    assert asyncio.run(story()) == [42]


def test_a_frame_says_how_far_it_is_now_and_not_how_far_it_was() -> None:
    seen = threading.Event()

    def work(progress: Progress, stop: Stop) -> str:
        for done in range(10):
            progress("a.gguf", done, 10)
        assert seen.wait(PATIENCE)
        return "done"

    async def story() -> list[WorkFrame]:
        frames: list[WorkFrame] = []
        results: list[str] = []
        async for frame in working(work, results):
            frames.append(frame)
            seen.set()
        assert results == ["done"]
        return frames

    assert asyncio.run(story()) == [WorkFrame(file="a.gguf", done=9, total=10)]


def test_a_failure_of_the_work_is_the_failure_of_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    def work(progress: Progress, stop: Stop) -> None:
        raise NotFoundError("It is not here.")

    async def story() -> None:
        results: list[None] = []
        with pytest.raises(NotFoundError):
            async for _ in working(work, results):
                pass
        assert results == []

    asyncio.run(story())
    assert caplog.records == []  # a refusal is no fault


class Endless:
    """Work that ends when it is told to, and not before."""

    def __init__(self) -> None:
        self.ended = False

    def __call__(self, progress: Progress, stop: Stop) -> None:
        while not stop.wait(0.01):
            progress("a", 1, 2)
        self.ended = True
        raise HashingEndedError("It was told to end.")


def test_who_leaves_ends_the_work_and_waits_for_its_end() -> None:
    async def story() -> bool:
        work = Endless()
        async with aclosing(working(work, [])) as frames:
            await anext(frames)
        return work.ended

    assert asyncio.run(story())


def test_who_is_cancelled_ends_the_work_and_waits_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> bool:
        work, begun = Endless(), asyncio.Event()

        async def read() -> None:
            async for _ in working(work, []):
                begun.set()

        task = asyncio.ensure_future(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return work.ended

    assert asyncio.run(story())
    assert caplog.records == []


def test_long_work_takes_no_thread_from_the_others() -> None:
    async def story() -> str:
        async def read() -> None:
            async for _ in working(Endless(), []):
                pass

        tasks = [asyncio.ensure_future(read()) for _ in range(40)]
        await asyncio.sleep(0)
        answer = await asyncio.to_thread(lambda: "there is room")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return answer

    assert asyncio.run(story()) == "there is room"
