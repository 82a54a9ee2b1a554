"""For parts that follow the library: told of each of its changes, and once more where some may have been missed."""

from collections.abc import Callable
from contextlib import suppress

from thorp.base.fanout import Fanout, Listener, SourceEndedError, TooSlowError
from thorp.wire.changes import Change, LibraryChanged


async def each_library_change(changes: Fanout[Change], then: Callable[[], None]) -> None:
    with suppress(SourceEndedError):
        while True:
            with changes.listen() as listener, suppress(TooSlowError):
                await _told(listener, then)
            then()


async def _told(listener: Listener[Change], then: Callable[[], None]) -> None:
    while True:
        if any(isinstance(one.item, LibraryChanged) for one in await listener.take()):
            then()


class OwedLook:
    """The look at the library that is owed after each change of it. One that failed is owed still."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._owed = True

    def owe(self) -> None:
        self._owed = True

    def settle(self) -> None:
        if not self._owed:
            return
        self._owed = False  # before the look: what changes meanwhile is owed again
        try:
            self._look()
        except BaseException:
            self._owed = True
            raise
