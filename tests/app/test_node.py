"""One running node: start, tell, wait, stop in order."""

import asyncio

import pytest

from tests.app.test_tree import worker
from thorp.app.node import Node
from thorp.app.ready import Ready
from thorp.base.errors import ConflictError
from thorp.base.fanout import Fanout
from thorp.base.service import Life, Restart, Service
from thorp.bus.dispatch import Bus
from thorp.node.types import NodeState
from thorp.testing.clock import FakeClock
from thorp.wire.changes import Change, NodeStopping

READY = Ready("http://127.0.0.1:1", None, "ed25519:x", "kitchen", 1)


class World:
    def __init__(self, *services: Service) -> None:
        clock = FakeClock()
        self.changes = Fanout[Change]()
        self.doors: list[str] = []
        self.node = Node(Bus(clock, lambda _change: None), self.changes, clock)
        self.node.consist_of(services, lambda: READY, lambda: self.doors.append("closed"))
        self.told: list[Ready] = []

    def told_and_stopped(self, ready: Ready) -> None:
        self.told.append(ready)
        assert self.node.is_ready
        self.node.request_stop("enough")


def test_it_tells_when_it_is_ready_and_stops_when_asked() -> None:
    world = World(worker("a", 1))
    assert asyncio.run(world.node.run(world.told_and_stopped))
    assert world.told == [READY]
    assert world.doors == ["closed"]
    assert world.node.state is NodeState.STOPPING
    assert not world.node.is_ready


def test_watchers_hear_the_reason_before_the_end() -> None:
    world = World(worker("a", 1))
    asyncio.run(world.node.run(world.told_and_stopped))
    kinds = [one.item for one in world.changes.since(0) or ()]
    assert NodeStopping(reason="enough") in kinds


def test_the_first_reason_stays() -> None:
    world = World(worker("a", 1))

    def twice(ready: Ready) -> None:
        world.told_and_stopped(ready)
        world.node.request_stop("again")

    asyncio.run(world.node.run(twice))
    assert NodeStopping(reason="enough") in [one.item for one in world.changes.since(0) or ()]


def test_one_that_cannot_start_is_the_error_of_the_start() -> None:
    async def taken(_life: Life) -> None:
        raise ConflictError("the port is taken")

    with pytest.raises(ConflictError):
        asyncio.run(World(worker("a", 1, taken)).node.run(lambda _ready: None))


def test_the_end_of_a_part_it_cannot_be_without_is_its_own_and_no_good_one() -> None:
    async def leaves(life: Life) -> None:
        life.ready()

    world = World(worker("a", 1, leaves, restart=Restart.NEVER))
    assert not asyncio.run(world.node.run(lambda _ready: None))
