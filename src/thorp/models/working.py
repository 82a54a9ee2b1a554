"""Long blocking work as a stream: a frame now and then, then what came of it; cancelled, the work ends as well."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from thorp.models.ports import Stop
from thorp.wire.capabilities.models import WorkFrame

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
EVERY: Final = 0.2  # seconds between two frames
THREAD: Final = "work on files"


async def working(work: Callable[[Progress, Stop], T], results: list[T]) -> AsyncGenerator[WorkFrame, None]:
    """Frames while `work` runs in a thread; its result is put into `results`."""
    latest: list[WorkFrame] = []
    stop = threading.Event()

    def progress(file: str, done: int, total: int) -> None:
        latest[:] = [WorkFrame(file=file, done=done, total=total)]

    thread = ThreadPoolExecutor(1, THREAD)  # one of its own: it may hold it for hours
    future = asyncio.get_running_loop().run_in_executor(thread, work, progress, stop)
    try:
        while not future.done():
            await asyncio.wait((future,), timeout=EVERY)
            if latest and not future.done():
                yield latest.pop()
        results.append(await future)
    finally:
        stop.set()
        if not future.done():
            await asyncio.wait((future,))
        if not future.cancelled():
            future.exception()  # whoever left does not want to know
        thread.shutdown(wait=False)
