"""A short hose between the task that makes frames and the one that sends them on: bounded, one writer, one reader."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final, Generic, TypeVar

T = TypeVar("T")
ROOM: Final = 8  # frames; enough to hide a context switch, little enough that a slow reader slows the handler


class Pipe(Generic[T]):
    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    async def put(self, item: T) -> None:
        while len(self._items) >= self._room:
            self._writable.clear()
            await self._writable.wait()
        self._items.append(item)
        self._readable.set()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes. What is in the pipe is still delivered, then the error if there is one."""
        self._ended, self._error = True, error
        self._readable.set()

    async def items(self) -> AsyncGenerator[T, None]:
        while True:
            while self._items:
                item = self._items.popleft()
                self._writable.set()
                yield item
            if self._ended:
                if self._error is not None:
                    raise self._error
                return
            self._readable.clear()
            await self._readable.wait()
