"""Every task has an owner that awaits its end. This is the only place that creates tasks."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from thorp.base.service import Life

T = TypeVar("T")
log = logging.getLogger(__name__)


class TaskScope:
    """A set of named tasks with one end. Leaving the scope cancels what still runs and waits for it.

    A task that fails is logged with its traceback and handed to `on_failure`; its siblings go on.
    """

    def __init__(self, name: str, on_failure: Callable[[str, BaseException], None] | None = None) -> None:
        self._name = name
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def start(self, name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        if self._closing:
            coroutine.close()
            raise RuntimeError(f"the scope {self._name} is ending and starts nothing new")
        task = asyncio.create_task(coroutine, name=f"{self._name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("task %s failed", task.get_name(), exc_info=error)
        if self._on_failure:
            self._on_failure(task.get_name(), error)

    async def close(self) -> None:
        self._closing = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def working(life: Life, name: str, **works: Coroutine[Any, Any, None]) -> None:
    """A service's works, until the tree asks for the end or one of them fails; afterwards none of them runs."""
    async with TaskScope(name) as scope:
        under_way: set[asyncio.Task[Any]] = {scope.start(work, does) for work, does in works.items()}
        stopping = scope.start("stop", life.until_stop())
        life.ready()
        while not stopping.done():
            ended, _ = await asyncio.wait({*under_way, stopping}, return_when=asyncio.FIRST_COMPLETED)
            under_way -= ended
            for one in ended:
                one.result()
