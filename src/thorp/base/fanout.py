"""One source of items, many bounded listeners: a slow one is dropped, never the others.

Recent items are kept so that a listener who was away for a moment can go on where it was.
"""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class TooSlowError(Exception):
    """A listener that did not keep up and was let go."""


class SourceEndedError(Exception):
    """Nothing more will come."""


@dataclass(frozen=True, slots=True)
class Numbered(Generic[T]):
    number: int
    item: T


@dataclass(eq=False, slots=True)
class Listener(Generic[T]):
    room: int
    waiting: deque[Numbered[T]] = field(default_factory=deque[Numbered[T]])
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: bool = False
    closed: bool = False

    async def take(self, seconds: float | None = None) -> tuple[Numbered[T], ...]:
        """All that waits, in order; waits for something for at most `seconds`, then answers with nothing.

        Raises TooSlowError when this listener was dropped, SourceEndedError after the last item.
        """
        if not self.waiting and not self.dropped and not self.closed:
            self.wake.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self.wake.wait()
            except TimeoutError:
                return ()
        if self.dropped:
            raise TooSlowError
        if not self.waiting and self.closed:
            raise SourceEndedError
        taken = tuple(self.waiting)
        self.waiting.clear()
        return taken


class Fanout(Generic[T]):
    def __init__(self, *, room: int = 256, remembered: int = 1024) -> None:
        self._room = room
        self._recent: deque[Numbered[T]] = deque(maxlen=remembered)
        self._listeners: set[Listener[T]] = set()
        self._closed = False
        self.last = 0

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, item: T) -> int:
        self.last += 1
        numbered = Numbered(self.last, item)
        self._recent.append(numbered)
        for listener in tuple(self._listeners):
            self._offer(listener, numbered)
        return self.last

    def _offer(self, listener: Listener[T], numbered: Numbered[T]) -> None:
        if len(listener.waiting) >= listener.room:
            listener.waiting.clear()
            listener.dropped = True
            self._listeners.discard(listener)
        else:
            listener.waiting.append(numbered)
        listener.wake.set()

    def since(self, number: int) -> tuple[Numbered[T], ...] | None:
        """What came after `number`, or None when that is no longer known completely."""
        if number > self.last or number < 0:
            return None
        oldest = self._recent[0].number if self._recent else self.last + 1
        if number + 1 < oldest:
            return None
        return tuple(numbered for numbered in self._recent if numbered.number > number)

    @contextmanager
    def listen(self) -> Generator[Listener[T]]:
        listener: Listener[T] = Listener(self._room, closed=self._closed)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """No more items; every listener ends after what it already has."""
        self._closed = True
        for listener in self._listeners:
            listener.closed = True
            listener.wake.set()
