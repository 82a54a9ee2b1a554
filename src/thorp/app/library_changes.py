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
