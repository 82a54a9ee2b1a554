"""Where a node is, who is around, and questions from threads: also while the node begins and ends."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from thorp.app.lan_place import Asking, LanFiles, NodePlace, Present
from thorp.app.settings import Settings
from thorp.base.clock import SystemClock
from thorp.base.errors import NotFoundError
from thorp.bus.dispatch import Bus
from thorp.identity.ids import NodeId
from thorp.mesh.ports import Blob
from thorp.mesh.settings import LanSettings
from thorp.mesh.types import Around, Neighbour
from thorp.models.offered import NotAroundError
from thorp.net.interfaces import Nic
from thorp.net.settings import MeshSettings
from thorp.node.settings import NodeSettings
from thorp.testing.mesh import FakeNode, House
from thorp.wire.capability import Call, Capability, Nothing, Offer

ETH = Nic("eth0", "192.168.7.2", 24, "192.168.7.255")


def place(**settings: object) -> NodePlace:
    return NodePlace(lambda: Settings(**settings), lambda: 7080, lambda: 7081)


def neighbour(node: str, address: str, swarm_port: int = 7081, mesh_port: int = 7080) -> Neighbour:
    return Neighbour(NodeId(node), node, address, swarm_port, mesh_port, "", 0, (), 0.0, "packet")


# Where this node is


def test_a_listener_everywhere_is_on_the_networks_the_owner_chose() -> None:
    found = place(mesh=MeshSettings(host="0.0.0.0"), lan=LanSettings(interfaces=("lo",)))

    assert [nic.name for nic in found.nics()] == ["lo"]
    assert found.addresses() == ("127.0.0.1",)


def test_a_listener_on_one_address_is_on_that_network_alone_whatever_was_chosen() -> None:
    found = place(mesh=MeshSettings(host="127.0.0.1"), lan=LanSettings(interfaces=("eth9",)))

    assert found.addresses() == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["192.0.2.200", "lo", "localhost"])
def test_a_listener_on_no_address_of_this_machine_is_on_no_network(host: str) -> None:
    assert place(mesh=MeshSettings(host=host)).nics() == ()


def test_ports_and_names_are_asked_for_each_time() -> None:
    assert (place().mesh_port(), place().swarm_port()) == (7080, 7081)
    assert place(node=NodeSettings(name="at\ttic" + "x" * 200)).name().startswith("atticx")


# Who is here


def test_only_who_is_on_a_network_of_ours_is_let_in() -> None:
    here = (
        neighbour("mia", "192.168.7.3"),
        neighbour("tom", "192.168.7.4", swarm_port=0),
        neighbour("far", "192.168.8.3"),
        neighbour("all", "192.168.7.255"),
        neighbour("net", "192.168.7.0"),
        neighbour("six", "fd00::3"),
        neighbour("bad", "mia.example"),
    )
    present = Present(Around(here), (ETH,))

    assert present.addresses() == {"192.168.7.3", "192.168.7.4"}
    assert present.peers() == (("192.168.7.3", 7081),)


def test_without_a_network_nobody_is_let_in() -> None:
    present = Present(Around((neighbour("mia", "192.168.7.3"),)))

    assert (present.addresses(), present.peers()) == (frozenset(), ())


# Files


def test_a_file_comes_from_the_node_that_has_it_and_from_no_other(tmp_path: Path) -> None:
    house = House()
    founder, joiner = FakeNode(house, 1), FakeNode(house, 2)
    joiner.join(founder)
    at = tmp_path / "blob"
    at.write_bytes(b"0123456789")
    founder.library.blobs["a" * 64] = Blob(str(at), 10, shareable=True)
    there = Neighbour(founder.id, "f", founder.address, 0, founder.place.mesh, "", 0, (), 0.0, "packet")
    files = LanFiles(Present(Around((there,))), joiner.neighbourhood)

    into = bytearray(4)
    with files.read(founder.id, "a" * 64, 3, 7, threading.Event()) as line:
        assert line.readinto(memoryview(into)) == 4
    assert into == b"3456"
    with pytest.raises(NotAroundError):
        files.read(joiner.id, "a" * 64, 3, 7, threading.Event())


def test_who_has_no_door_is_not_asked() -> None:
    house = House()
    node = FakeNode(house, 1)
    files = LanFiles(Present(Around((neighbour(node.id, node.address, mesh_port=0),))), node.neighbourhood)

    with pytest.raises(NotAroundError):
        files.read(node.id, "a" * 64, 0, 1, threading.Event())
    assert house.opened == []


# Questions from threads


ANSWERS = Capability("test.answers", "1.0", "Answers.", Nothing, Nothing)
NEVER = Capability("test.never", "1.0", "Never answers.", Nothing, Nothing)
FAILS = Capability("test.fails", "1.0", "Fails.", Nothing, Nothing)


async def answers(_call: Call[Nothing]) -> Nothing:
    return Nothing()


async def fails(_call: Call[Nothing]) -> Nothing:
    raise NotFoundError("There is none.")


async def bus_with(*offers: Offer) -> Bus:
    bus = Bus(SystemClock(), lambda _change: None)
    for one in offers:
        await bus.register(one)
    return bus


def test_a_thread_gets_the_answer_of_the_bus_and_its_errors() -> None:
    async def story() -> None:
        asking = Asking(await bus_with(Offer(ANSWERS, unary=answers), Offer(FAILS, unary=fails)))
        asking.loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(asking, "test.answers", {}) == Nothing()
        with pytest.raises(NotFoundError, match="There is none"):
            await asyncio.to_thread(asking, "test.fails", {})

    asyncio.run(story())


def test_who_asks_as_the_node_begins_waits_until_neighbours_had_time_to_answer() -> None:
    async def story() -> None:
        asking = Asking(await bus_with(Offer(ANSWERS, unary=answers)))
        asking.loop = asyncio.get_running_loop()
        asking.settled.clear()
        asked = asyncio.create_task(asyncio.to_thread(asking, "test.answers", {}))
        await asyncio.to_thread(lambda: None)
        assert not asked.done()
        asking.settled.set()
        assert await asked == Nothing()

    asyncio.run(story())


def test_before_the_node_runs_nobody_answers() -> None:
    with pytest.raises(NotAroundError):
        Asking(Bus(SystemClock(), lambda _change: None))("test.answers", {})


def test_after_the_node_ended_nobody_answers() -> None:
    asking = Asking(Bus(SystemClock(), lambda _change: None))

    async def story() -> None:
        asking.loop = asyncio.get_running_loop()

    asyncio.run(story())
    with pytest.raises(NotAroundError):
        asking("test.answers", {})


def test_a_node_that_ends_in_the_middle_of_a_question_lets_go_of_who_asked() -> None:
    found: list[BaseException] = []

    def told(ask: Callable[[], object]) -> None:
        try:
            ask()
        except NotAroundError as error:
            found.append(error)

    async def story() -> threading.Thread:
        begun = asyncio.Event()

        async def never(_call: Call[Nothing]) -> Nothing:
            begun.set()
            await asyncio.Event().wait()
            return Nothing()

        asking = Asking(await bus_with(Offer(NEVER, unary=never)))
        asking.loop = asyncio.get_running_loop()
        thread = threading.Thread(target=told, args=(lambda: asking("test.never", {}),))
        thread.start()
        await begun.wait()
        return thread

    asyncio.run(story()).join(30)
    assert [type(one) for one in found] == [NotAroundError]
