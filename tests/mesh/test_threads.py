import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from thorp.base.errors import NetworkError
from thorp.mesh.threads import MOST_THREADS, CallThreads
from thorp.testing.process import until


def test_answers_and_failures_come_back() -> None:
    def fails() -> None:
        raise NetworkError("Nobody answers.")

    async def run() -> int:
        threads = CallThreads()
        with pytest.raises(NetworkError):
            await threads.run(fails)
        try:
            return await threads.run(max, 3, 5)
        finally:
            threads.close()

    assert asyncio.run(run()) == 5


def test_whoever_waits_for_a_neighbour_in_the_threads_of_the_loop_holds_none_that_is_needed() -> None:
    """As `resolve` does: it blocks a thread until the loop has asked the neighbours."""

    async def run() -> list[int]:
        loop, threads = asyncio.get_running_loop(), CallThreads()
        loop.set_default_executor(ThreadPoolExecutor(2))

        def waits() -> int:
            return asyncio.run_coroutine_threadsafe(threads.run(lambda: 7), loop).result(30)

        try:
            return await asyncio.gather(*(asyncio.to_thread(waits) for _ in range(4)))
        finally:
            threads.close()

    assert asyncio.run(run()) == [7] * 4


def test_they_are_bounded_and_end_and_may_begin_again() -> None:
    go, inside = threading.Event(), []

    def held() -> None:
        inside.append(threading.current_thread())
        go.wait(30)

    async def run() -> None:
        threads = CallThreads()
        asked = [asyncio.ensure_future(threads.run(held)) for _ in range(MOST_THREADS + 3)]
        await asyncio.to_thread(until, lambda: len(inside) == MOST_THREADS, "every thread is busy")
        threads.close()
        go.set()
        await asyncio.gather(*asked)
        await asyncio.to_thread(until, lambda: not any(one.is_alive() for one in inside), "the threads end")
        assert await threads.run(max, 1, 2) == 2
        threads.close()
        threads.close()

    asyncio.run(run())
    assert len({one.ident for one in inside}) == MOST_THREADS
