"""The node feature sees the real parts as they are now."""

import asyncio

from tests.app.test_tree import Diary, worker
from thorp.app.surroundings import LiveSurroundings
from thorp.app.tree import ServiceTree
from thorp.bus.dispatch import Bus
from thorp.node.types import Busy, NodeState, listener_row
from thorp.testing.clock import FakeClock


def test_every_question_goes_to_the_part_that_knows() -> None:
    asked: list[str] = []
    diary = Diary()
    tree = ServiceTree((worker("a", 1),), FakeClock(), diary.told, diary.fatal.append)
    row = listener_row("local", "http://127.0.0.1:1", is_open=True)
    around = LiveSurroundings(
        tree=lambda: tree,
        bus=Bus(FakeClock(), lambda _change: None),
        own_name=lambda: "kitchen",
        own_state=lambda: NodeState.STOPPING,
        open_listeners=lambda: (row,),
        is_claimed=lambda: True,
        goings_on=lambda: Busy(1, 2),
        restart_keys=lambda: ("local.port",),
        last_stop=lambda: False,
        stop=asked.append,
    )
    assert (around.name(), around.state(), around.listeners()) == ("kitchen", NodeState.STOPPING, (row,))
    assert (around.claimed(), around.needs_restart(), around.stopped_cleanly()) == (True, ("local.port",), False)
    assert [(one.name, one.state.value) for one in around.services()] == [("a", "waiting")]
    assert around.listings() == ()
    assert around.busy() == Busy(1, 2)
    around.request_stop("enough")
    assert asked == ["enough"]

    async def story() -> str:
        await tree.start()
        state = around.services()[0].state.value
        await tree.stop("enough")
        return state

    assert asyncio.run(story()) == "running"
