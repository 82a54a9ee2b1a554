"""Who follows the library hears of each change, and again after it was too slow to hear all."""

import asyncio

import pytest

from thorp.app.library_changes import OwedLook, each_library_change
from thorp.base.errors import ConflictError
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


def test_a_look_is_owed_at_first_and_after_each_change_and_no_more_once_it_went_well() -> None:
    looks: list[int] = []
    look = OwedLook(lambda: looks.append(1))
    look.settle()
    look.settle()
    assert len(looks) == 1
    look.owe()
    look.owe()
    look.settle()
    assert len(looks) == 2


def test_a_look_that_failed_is_owed_still_and_so_is_a_change_in_the_middle_of_one() -> None:
    looks: list[int] = []

    def once() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise ConflictError("the library is locked")
        if len(looks) == 2:
            look.owe()

    look = OwedLook(once)
    with pytest.raises(ConflictError):
        look.settle()
    for _ in range(3):
        look.settle()
    assert len(looks) == 3
