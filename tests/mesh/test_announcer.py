"""A node that makes itself heard, over real sockets on the loopback interface; its broadcast address is the group."""

import asyncio
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvloop

from tests.mesh.houses import ATTIC, BOOT, LAN, ME, circle
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh import plan
from thorp.mesh.announcer import Announcer, Surroundings
from thorp.mesh.index import Index
from thorp.mesh.index_types import Circle, Ports, Showing
from thorp.mesh.types import Around
from thorp.net.interfaces import Nic
from thorp.net.udp import Arrived, LanSocket, Sent, Way
from thorp.testing.clock import FakeRandomness
from thorp.wire.announce import Head, Refusal

EVERYBODY = "127.255.255.255"
BLACK_HOLE = "127.9.9.9"  # a network that takes what is sent to the group, and delivers it to nobody
HEAD = Head("mistral:7b:instruct:q4_k_m", "a1" * 20, "b2" * 20, "c3" * 32, 9)
SHOWN = Showing("d4" * 32, 1, (HEAD,))
PLACES = {ME: "127.0.0.1", ATTIC: "127.0.0.2"}


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[request.param]

    def running(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(coroutine, 30))

    return running


class Life:
    def __init__(self) -> None:
        self.is_ready = asyncio.Event()
        self.stop = asyncio.Event()

    def ready(self) -> None:
        self.is_ready.set()

    async def until_stop(self) -> str:
        await self.stop.wait()
        return "the test is over"


@dataclass
class Shelf:
    """Numbers in memory, or a disk that fails."""

    seqs: dict[NodeId, int] = field(default_factory=dict)
    broken: bool = False

    def load(self) -> Mapping[NodeId, int]:
        self.save({})
        return dict(self.seqs)

    def save(self, seqs: Mapping[NodeId, int]) -> None:
        if self.broken:
            raise OSError("the disk is gone")
        self.seqs |= seqs


class Watched(Index):
    """Can be waited for when it refuses."""

    def refuse(self, reason: Refusal) -> None:
        super().refuse(reason)
        self.refusals.put_nowait(reason)


class Spoken(LanSocket):
    """Can be waited for when it has spoken."""

    def send(self, datagram: bytes, *, broadcast: Collection[tuple[str, str]]) -> tuple[Sent, ...]:
        self.wide = set(broadcast)
        self.spoke.set()
        return super().send(datagram, broadcast=broadcast)

    def _shot(self, nic: Nic, datagram: bytes, target: str, errors: list[str]) -> bool:
        return target == BLACK_HOLE or super()._shot(nic, datagram, target, errors)


@dataclass
class Node:
    """One node with its own announcer, and what it was told."""

    key: NodeKey
    port: int = 0
    group: str = EVERYBODY
    circle: Circle = field(default_factory=lambda: circle(ME, ATTIC))
    shelf: Shelf = field(default_factory=Shelf)
    nics: tuple[Nic, ...] = ()
    shown: Showing = SHOWN
    silent: str = ""
    randomness: object = field(default_factory=SystemRandomness)
    told: asyncio.Queue[Around] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.nics = self.nics or (Nic("lo", PLACES[self.key], 8, EVERYBODY),)
        clock = SystemClock()
        self.lan = Spoken(clock, group=self.group, port=self.port)
        self.index = Watched(
            self.key.node_id,
            BOOT,
            circle=lambda: self.circle,
            clock=clock,
            changed=self.told.put_nowait,
            wants_roster=lambda *_: None,
        )
        self.spoke = self.lan.spoke = asyncio.Event()
        self.index.refusals = asyncio.Queue()
        around = Surroundings(
            circle=lambda: self.circle,
            nics=lambda: self.nics,
            ports=lambda: Ports(42690, 7080),
            shown=lambda: self.shown,
            silent=lambda: self.silent,
            seqs=self.shelf,
        )
        self.announcer = Announcer(self.key, self.index, self.lan, around, clock=clock, randomness=self.randomness)
        self.life = Life()


@asynccontextmanager
async def running(*nodes: Node):
    tasks = [asyncio.create_task(node.announcer.run(node.life)) for node in nodes]
    try:
        for node in nodes:
            await node.life.is_ready.wait()
        yield
    finally:
        for node in nodes:
            node.life.stop.set()
        await asyncio.gather(*tasks)


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
        asking.bind(("0.0.0.0", 0))
        return asking.getsockname()[1]


def two(**more: object) -> tuple[Node, Node]:
    port = free_port()
    return Node(ME, port, **more), Node(ATTIC, port, **more)


def test_two_nodes_that_start_find_each_other(run) -> None:
    async def meet() -> None:
        one, other = two()
        async with running(one, other):
            [found] = (await one.told.get()).neighbours
            assert (found.node, found.address, found.swarm_port, found.mesh_port) == (
                ATTIC.node_id, "127.0.0.2", 42690, 7080
            )  # fmt: skip
            assert (found.list_digest, found.count, found.heads, found.by) == ("d4" * 32, 1, (HEAD,), "packet")
            assert [one.node for one in (await other.told.get()).neighbours] == [ME.node_id]
            assert one.announcer.hearing().by == "multicast"
        assert not one.lan.is_open

    run(meet())


def test_a_change_is_told_without_waiting_for_the_next_turn(run) -> None:
    async def meet() -> None:
        one, other = two()
        async with running(one, other):
            await one.told.get()
            other.shown = Showing("ee" * 32, 2)
            other.announcer.poke()
            while (await one.told.get()).neighbours[0].list_digest != "ee" * 32:
                pass

    run(meet())


def test_who_arrives_later_is_answered_and_does_not_wait_for_the_next_turn(run) -> None:
    async def meet() -> None:
        one, other = two()
        async with running(one):
            await one.spoke.wait()
            async with running(other):
                assert (await other.told.get()).neighbours[0].node == ME.node_id

    run(meet())


def test_a_community_of_one_announces_no_models_and_broadcasts_to_nobody(run) -> None:
    async def meet() -> None:
        alone, listening = two()
        alone.circle = circle(ME)
        async with running(alone, listening):
            [found] = (await listening.told.get()).neighbours
            assert (found.list_digest, found.count, found.heads) == ("", 0, ())
            hearing = alone.announcer.hearing()
            assert (hearing.by, hearing.why, hearing.interfaces[0].broadcast) == ("none", plan.ALONE, False)
            assert alone.shelf.seqs == {}

    run(meet())


def test_E61_where_multicast_is_blocked_broadcast_is_the_second_shot_and_the_owner_sees_it(run) -> None:
    async def meet() -> None:
        one, other = two(group=BLACK_HOLE)
        async with running(one, other):
            assert (await one.told.get()).neighbours[0].node == ATTIC.node_id
            hearing = one.announcer.hearing()
            assert (hearing.by, hearing.why) == ("broadcast", plan.NO_MULTICAST)

    run(meet())


def test_E61_on_a_network_where_multicast_works_nobody_is_spoken_to_by_broadcast_because_of_another(run) -> None:
    async def wait() -> None:
        deaf, hearing = Nic("lo", "127.0.0.1", 8, EVERYBODY), Nic("lo2", "127.0.0.3", 8, EVERYBODY)
        one = Node(ME, free_port(), nics=(deaf, hearing))
        await one.announcer._listens()
        one.announcer._mark(Arrived(b"", "127.0.0.2", Way.GROUP, "lo2"), own=False)
        await one.announcer._announce()
        assert one.lan.wide == {("lo", "127.0.0.1")}
        one.lan.close()

    run(wait())


def test_turned_off_between_two_steps_nothing_is_said(run) -> None:
    async def wait() -> None:
        one = Node(ME, free_port())
        one.circle = Circle({}, 0)
        await one.announcer._announce()
        assert not one.spoke.is_set()
        one.lan.close()

    run(wait())


def test_E61_no_network_at_all_is_a_state(run) -> None:
    async def wait() -> None:
        one = Node(ME, free_port())
        one.nics = ()
        await one.announcer._announce()
        assert one.announcer.hearing().why == plan.NO_NETWORK
        one.lan.close()

    run(wait())


def test_E60_an_interface_that_went_down_is_a_state_with_a_reason(run) -> None:
    async def wait() -> None:
        one = Node(ME, free_port(), nics=(Nic("gone", "192.0.2.77", 24, "192.0.2.255"),))
        await one.announcer._announce()
        [found] = one.announcer.hearing().interfaces
        assert (found.name, found.multicast) == ("gone", False)
        assert found.why.startswith("sending fails")
        one.lan.close()

    run(wait())


def test_a_port_that_is_taken_does_not_end_the_node_and_is_tried_again(run) -> None:
    async def wait() -> None:
        port = free_port()
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as holder:
            holder.bind(("0.0.0.0", port))
            one, other = Node(ME, port), Node(ATTIC, port)
            await one.announcer._announce()
            assert "cannot be used" in one.announcer.hearing().why

            async with running(one):
                holder.close()
                async with running(other):
                    one.announcer.poke()
                    assert (await other.told.get()).neighbours[0].node == ME.node_id

    run(wait())


def test_turned_off_it_neither_speaks_nor_listens_and_turned_on_it_does(run) -> None:
    async def wait() -> None:
        one, other = two()
        one.silent = plan.OFF
        async with running(one, other):
            await other.spoke.wait()
            await one.announcer._announce()
            assert not one.lan.is_open
            assert one.announcer.hearing().why == plan.OFF

            one.silent = ""
            one.announcer.poke()
            assert (await other.told.get()).neighbours[0].node == ME.node_id
            assert (await one.told.get()).neighbours[0].node == ATTIC.node_id

    run(wait())


def test_E58_the_own_number_is_stored_before_it_is_used_and_grows_over_restarts(run) -> None:
    async def meet() -> None:
        far = 2**52
        one, other = two()
        one.shelf.seqs = {ME.node_id: far}
        async with running(one, other):
            await other.told.get()
            heard = other.index.last_seq(ME.node_id)
            assert far < heard <= one.shelf.seqs[ME.node_id]

    run(meet())


def test_E58_what_was_heard_is_stored_at_the_end(run) -> None:
    async def meet() -> None:
        one, other = two()
        async with running(one, other):
            await one.told.get()
        assert one.shelf.seqs[ATTIC.node_id] >= one.index.last_seq(ATTIC.node_id) > 0

    run(meet())


def test_a_disk_that_stores_nothing_silences_nobody(run) -> None:
    async def meet() -> None:
        one, other = two(shelf=Shelf(broken=True))
        async with running(one, other):
            await one.told.get()
            await other.told.get()

    run(meet())


def test_another_secret_is_another_household(run) -> None:
    async def meet() -> None:
        one, other = two()
        other.circle = circle(ATTIC, ME, lan=replace(LAN, secret=bytes(range(32))))
        async with running(one, other):
            assert await one.index.refusals.get() is Refusal.SEAL
            assert await other.index.refusals.get() is Refusal.SEAL
            assert one.index.around() == Around()

    run(meet())


def test_what_cannot_go_on_is_told_to_who_keeps_it_alive(run) -> None:
    async def fall() -> None:
        one = Node(ME, free_port(), randomness=FakeRandomness())
        nowhere: dict[str, Ports] = {}
        one.announcer.around = replace(one.announcer.around, ports=lambda: nowhere["no port"])
        with pytest.raises(KeyError):
            await one.announcer.run(one.life)
        assert not one.lan.is_open

    run(fall())
