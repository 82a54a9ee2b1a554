"""The threads in which neighbours are asked: few, and nobody else's, so that whoever waits for an answer holds none."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

MOST_THREADS: Final = 32  # 8 for lists, 4 for rosters, 16 for torrents, and who joins: none of them waits for another

P = ParamSpec("P")
T = TypeVar("T")


class CallThreads:
    """Belongs to the loop. Threads are there from the first question until `close`, and again after the next one."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, does: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What it returns or raises, without the loop waiting for it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="neighbours")
        work = partial(copy_context().run, does, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Whatever is under way or waits is told to end by whoever began it, and its thread ends with it."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
