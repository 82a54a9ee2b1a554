"""Who follows the library hears of each change, and again after it was too slow to hear all."""

import asyncio

from thorp.app.library_changes import each_library_change
from thorp.base.fanout import Fanout
from thorp.wire.changes import Change, LibraryChanged, NodeStopping


async def told(changes: Fanout[Change], *items: Change) -> int:
    """How often the follower was called for these, which all came before it could look."""
    calls: list[int] = []
    following = asyncio.create_task(each_library_change(changes, lambda: calls.append(1)))
    await asyncio.sleep(0)
    for item in items:
        changes.publish(item)
    await asyncio.sleep(0.01)
    changes.close()
    await following
    return len(calls)


CHANGE = LibraryChanged(what="added", model_ids=("m",))


def test_a_change_of_the_library_is_told_and_others_are_not() -> None:
    assert asyncio.run(told(Fanout(), CHANGE)) == 1
    assert asyncio.run(told(Fanout(), NodeStopping(reason="enough"))) == 0


def test_who_was_too_slow_is_told_once_that_something_was_missed() -> None:
    assert asyncio.run(told(Fanout(room=2), CHANGE, CHANGE, CHANGE)) == 1
