"""Datagrams on the local network, here on the loopback interface; its broadcast address stands for the group.

Real multicast is spoken by a process of its own, and never leaves the loopback interface either.
"""

import asyncio
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from thorp.base.clock import SystemClock
from thorp.net import udp
from thorp.net.interfaces import Nic
from thorp.net.udp import Arrived, LanSocket, SourceGate, Way
from thorp.testing.clock import FakeClock
from thorp.wire.announce import LARGEST, Refusal

EVERYBODY = "127.255.255.255"


def nic(address: str = "127.0.0.1", prefix: int = 8, name: str = "lo", broadcast: str = EVERYBODY) -> Nic:
    return Nic(name, address, prefix, broadcast)


@dataclass
class Ear:
    """A socket of a node, and what it heard."""

    lan: LanSocket
    heard: asyncio.Queue[Arrived] = field(default_factory=asyncio.Queue)
    dropped: asyncio.Queue[Refusal] = field(default_factory=asyncio.Queue)

    async def next(self) -> Arrived:
        return await self.heard.get()


@contextmanager
def ear(*nics: Nic, group: str = EVERYBODY, port: int = 0, clock=None):
    lan = LanSocket(clock or SystemClock(), group=group, port=port)
    one = Ear(lan)
    lan.open(one.heard.put_nowait, one.dropped.put_nowait)
    lan.use(nics)
    try:
        yield one
    finally:
        lan.close()


def say(datagram: bytes, port: int, source: str = "127.0.0.9", target: str = "127.0.0.1") -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        stranger.bind((source, 0))
        stranger.sendto(datagram, (target, port))


def test_two_nodes_of_one_machine_hear_each_other_and_themselves(run) -> None:
    async def talk() -> None:
        with ear(nic("127.0.0.1")) as one, ear(nic("127.0.0.2"), port=one.lan.port) as two:
            sent = two.lan.send(b"hello", broadcast=())

            assert await one.next() == Arrived(b"hello", "127.0.0.2", Way.GROUP, "lo")
            assert await two.next() == Arrived(b"hello", "127.0.0.2", Way.GROUP, "lo")
            assert [(one.nic, one.address, one.group, one.broadcast) for one in sent] == [
                ("lo", "127.0.0.2", True, None)
            ]

    run(talk())


def test_a_broadcast_is_the_second_shot_and_known_as_one(run) -> None:
    async def talk() -> None:
        with ear(nic(), group="127.0.0.1") as one:
            [sent] = one.lan.send(b"hello", broadcast={("lo", "127.0.0.1")})

            assert (sent.group, sent.broadcast, sent.error) == (True, True, "")
            assert [(await one.next()).way, (await one.next()).way] == [Way.GROUP, Way.BROADCAST]

    run(talk())


def test_it_speaks_from_each_interface_with_that_interface_s_address(run) -> None:
    async def talk() -> None:
        with ear(nic("127.0.0.1"), nic("127.0.0.2", name="lo2")) as one:
            one.lan.send(b"hello", broadcast=())

            assert {(await one.next()).source, (await one.next()).source} == {"127.0.0.1", "127.0.0.2"}

    run(talk())


def test_what_came_to_this_node_alone_is_known_as_direct(run) -> None:
    async def talk() -> None:
        with ear(nic()) as one:
            say(b"psst", one.lan.port)

            assert (await one.next()).way is Way.DIRECT

    run(talk())


def test_what_is_too_long_is_cut_where_that_can_still_be_seen(run) -> None:
    async def talk() -> None:
        with ear(nic()) as one:
            say(b"x" * 20_000, one.lan.port)

            assert len((await one.next()).datagram) == LARGEST + 1

    run(talk())


def test_E57_a_source_outside_the_chosen_networks_is_dropped(run) -> None:
    async def talk() -> None:
        with ear(nic("127.0.0.1", prefix=24)) as one:
            say(b"far", one.lan.port, source="127.9.9.9")
            assert await one.dropped.get() is Refusal.OFF_SUBNET

            say(b"near", one.lan.port)
            assert (await one.next()).datagram == b"near"

    run(talk())


def test_E59_a_flood_is_dropped_before_anybody_looks_and_others_are_heard(run) -> None:
    async def talk() -> None:
        with ear(nic(), clock=FakeClock()) as one:
            for _ in range(int(udp.PER_SOURCE)):
                say(b"noise", one.lan.port)
                await one.next()
            say(b"noise", one.lan.port)
            assert await one.dropped.get() is Refusal.FLOOD

            say(b"peer", one.lan.port, source="127.0.0.10")
            assert (await one.next()).datagram == b"peer"

    run(talk())


def test_E60_an_interface_that_is_not_there_says_so_and_the_others_go_on(run) -> None:
    async def talk() -> None:
        with ear(nic("192.0.2.77", 24, "gone", "192.0.2.255"), nic()) as one:
            gone, here = one.lan.send(b"hello", broadcast={("gone", "192.0.2.77")})

            assert not gone.group
            assert not gone.broadcast
            assert gone.error
            assert here.group
            assert (await one.next()).source == "127.0.0.1"

    run(talk())


def test_E60_interfaces_come_and_go(run) -> None:
    async def talk() -> None:
        with ear(nic("127.0.0.1"), nic("127.0.0.2", name="lo2")) as one:
            one.lan.send(b"both", broadcast=())
            one.lan.use([nic("127.0.0.3")])

            assert [sent.address for sent in one.lan.send(b"hello", broadcast=())] == ["127.0.0.3"]
            assert [(await one.next()).source for _ in range(3)][-1] == "127.0.0.3"

            one.lan.use([])
            assert one.lan.send(b"hello", broadcast=()) == ()

    run(talk())


def test_E60_more_interfaces_than_one_socket_can_join_are_left_out(run) -> None:
    async def talk() -> None:
        with ear(*(nic(f"127.0.0.{part}", name=f"lo{part}") for part in range(1, 40))) as one:
            assert len(one.lan.send(b"hello", broadcast=())) == udp.MOST_NICS

    run(talk())


def test_a_port_that_somebody_has_alone_is_an_error_and_can_be_tried_again(run) -> None:
    async def talk() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as holder:
            holder.bind(("0.0.0.0", 0))
            lan = LanSocket(SystemClock(), group=EVERYBODY, port=holder.getsockname()[1])
            with pytest.raises(OSError, match="in use"):
                lan.open(lambda _: None, lambda _: None)
        assert not lan.is_open
        lan.open(lambda _: None, lambda _: None)
        assert lan.is_open
        lan.close()

    run(talk())


def test_opening_twice_and_closing_twice_is_harmless(run) -> None:
    async def talk() -> None:
        with ear(nic()) as one:
            port = one.lan.port
            one.lan.open(lambda _: None, lambda _: None)
            assert one.lan.port == port
            one.lan.close()
            assert not one.lan.is_open

    run(talk())


MULTICAST = """
import asyncio, sys
from thorp.base.clock import SystemClock
from thorp.net.interfaces import Nic
from thorp.net.udp import LanSocket, Way

async def main():
    heard = asyncio.Queue()
    one, two = LanSocket(SystemClock(), port=0), None
    one.open(heard.put_nowait, print)
    two = LanSocket(SystemClock(), port=one.port)
    two.open(heard.put_nowait, print)
    for lan, address in ((one, "127.0.0.1"), (two, "127.0.0.2")):
        lan.use([Nic("lo", address, 8, "127.255.255.255")])
        lan.use([Nic("lo", address, 8, "127.255.255.255")])  # joins again without a word
    [sent] = one.send(b"hello", broadcast=())
    assert sent.group and not sent.error, sent
    for _ in range(2):
        arrived = await heard.get()
        assert (arrived.source, arrived.way, arrived.nic) == ("127.0.0.1", Way.GROUP, "lo"), arrived
    two.use([])
    one.use([Nic("lo", "127.0.0.1", 32, "")])
    one.close()
    two.close()

asyncio.run(asyncio.wait_for(main(), 30))
"""


def test_it_speaks_multicast() -> None:
    subprocess.run([sys.executable, "-c", MULTICAST], check=True, timeout=60)


def test_E59_each_source_has_its_share_of_each_second() -> None:
    gate = SourceGate()

    assert sum(gate.admits("10.0.0.1", 5.0) for _ in range(5000)) == udp.PER_SOURCE
    assert gate.admits("10.0.0.2", 5.0)
    assert sum(gate.admits("10.0.0.1", 5.5) for _ in range(5000)) == udp.PER_SOURCE / 2


def test_E59_known_sources_stand_outside_the_crowd() -> None:
    gate = SourceGate()
    gate.keep({"10.0.0.1"}, 0.0)
    for number in range(20_000):
        gate.admits(f"10.1.{number // 250}.{number % 250}", 1.0)

    assert not gate.admits("10.2.0.1", 1.0)
    assert gate.admits("10.0.0.1", 1.0)
    assert len(gate) == udp.MOST_SOURCES + 1


def test_E59_who_just_arrives_is_heard_while_a_few_shout() -> None:
    gate = SourceGate()
    for _ in range(2000):
        for shouting in range(20):
            gate.admits(f"10.1.0.{shouting}", 1.0)

    assert gate.admits("10.0.0.1", 1.0)


def test_E59_a_known_source_is_limited_as_well_and_forgotten_when_it_left() -> None:
    gate = SourceGate()
    gate.keep({"10.0.0.1"}, 0.0)
    assert sum(gate.admits("10.0.0.1", 0.0) for _ in range(3000)) == udp.PER_SOURCE

    gate.keep({"10.0.0.1", "10.0.0.2"}, 0.0)
    assert not gate.admits("10.0.0.1", 0.0)
    gate.keep((), 0.0)
    assert len(gate) == 0
