"""Nodes that speak mDNS with each other on loopback. A process of its own: multicast is beyond the fence of the tests.

Prints what happened as JSON.
"""

import asyncio
import itertools
import json
import os
import socket
import sys
from contextlib import asynccontextmanager

from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.tasks import TaskScope
from thorp.net.interfaces import Nic
from thorp.net.mdns import (
    MOST_LATER,
    NAME_TRIES,
    SIGHTINGS_AT_ONCE,
    SIGHTINGS_PER_SECOND,
    Mdns,
    NoMdnsError,
    Service,
)
from thorp.testing.clock import FakeRandomness

NICS = (Nic("lo", "127.0.0.1", 8, "127.255.255.255"),)
HERE = f"{os.getpid():08x}"
TYPE = f"_t{HERE}._tcp.local."  # others may run this at the same time
SECONDS_UNTIL_A_TEST_HANGS = 30


def service(number):
    return Service(f"{HERE}{number:08x}", 7000 + number, number, "1.0", ("127.0.0.1",))


class Ear:
    """Who was seen, of this run."""

    def __init__(self):
        self.seen = {}
        self._more = asyncio.Event()

    def __call__(self, sighting):
        if sighting.tag.startswith(HERE):
            self.seen[int(sighting.tag[8:], 16)] = [sighting.mesh_port, list(sighting.addresses), sighting.swarm_port]
            self._more.set()

    async def until(self, number):
        while number not in self.seen:
            self._more.clear()
            await self._more.wait()


@asynccontextmanager
async def node(number, randomness=None):
    ear = Ear()
    one = Mdns(ear, SystemClock(), randomness or SystemRandomness(), kind=TYPE)
    await one.start(service(number), NICS)
    try:
        yield one, ear
    finally:
        await one.stop()


@asynccontextmanager
async def stranger():
    other = AsyncZeroconf(interfaces=["127.0.0.1"])
    await other.zeroconf.async_wait_for_start()
    try:
        yield other
    finally:
        await other.async_close()


def said(name, number, **changes):
    """What a stranger says of a service."""
    shown = service(number)
    text = {"f": "1", "tag": shown.tag, "swarm": str(number), "v": "1.0"}
    wanted = {"port": 7000 + number, "properties": text, "parsed_addresses": ["127.0.0.1"], "server": f"{HERE}.local."}
    return AsyncServiceInfo(TYPE, f"{name}.{TYPE}", **{**wanted, **changes})


def say(other, info):
    other.zeroconf.async_send(other.zeroconf.generate_service_broadcast(info, None))


async def meet():
    """Two nodes see each other and not themselves; a change is seen; where there is no other network, nobody is."""
    async with node(1) as (first, heard_by_first), node(2) as (second, heard_by_second):
        await asyncio.gather(heard_by_first.until(2), heard_by_second.until(1))
        before = first._shown.name
        await first.update(service(3), NICS)
        await heard_by_second.until(3)
        after = first._shown.name
        await second.update(service(2), (*NICS, Nic("down", "192.0.2.77", 24, "")))
        return {
            "first": heard_by_first.seen,
            "second": heard_by_second.seen,
            "renamed": before != after,
            "shown": [first.shown, second.shown],
        }


async def flood():
    """Names without end, texts that are too long, and datagrams of 60 kB; a neighbour is found all the same."""
    clock = SystemClock()
    begun = clock.monotonic()
    async with node(1) as (one, ear), stranger() as other:
        numbers = itertools.count(10)
        while one.counts.dropped < 300:
            for number in itertools.islice(numbers, 5):
                say(other, said(f"{HERE}-{number}", number % 9999 + 10))
            await asyncio.sleep(0.001)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            raw.sendto(b"\0\0\x84\0\0\0\0\1\0\0\0\0" + b"\x3f" * 60_000, ("224.0.0.251", 5353))
        allowed = SIGHTINGS_AT_ONCE + SIGHTINGS_PER_SECOND * (clock.monotonic() - begun)
        seen = one.counts.seen
        async with node(2):
            await ear.until(2)
        return {"bounded": seen <= allowed, "waiting": len(one._later) <= MOST_LATER, "shown": one.shown}


async def nonsense():
    """Records that are whole and say nothing of use."""
    wrong = [
        {"properties": b"\xff" + b"x" * 255 + b"\x05a=bcd" * 1000},
        {"properties": {}},
        {"parsed_addresses": ["192.0.2.9"]},
        {"port": 0},
        {"parsed_addresses": ["fd00::7"]},
    ]
    async with node(1) as (one, ear), stranger() as other:
        while one.counts.refused < len(wrong):
            for number, changes in enumerate(wrong, 10):
                say(other, said(f"{HERE}-{number}", number, **{"server": f"{HERE}-{number}.local.", **changes}))
            await asyncio.sleep(0.3)
        while 99 not in ear.seen:
            say(other, said(f"{HERE}-good", 99, server=f"{HERE}-good.local."))
            await asyncio.sleep(0.3)
        return {"seen": sorted(ear.seen)}


async def conflict():
    """Somebody has every name the node tries, and says so all the time."""
    names = FakeRandomness(os.getpid())
    claimed = [said(names.bytes(8).hex(), 100 + number) for number in range(NAME_TRIES)]

    async def claiming(other):
        for info in itertools.cycle(claimed):
            say(other, info)
            await asyncio.sleep(0.02)

    async with stranger() as other, TaskScope("stranger") as scope:
        claims = scope.start("claims", claiming(other))
        async with node(1, FakeRandomness(os.getpid())) as (one, ear):
            hidden = not one.shown
            claims.cancel()
            async with node(2):
                await ear.until(2)
            await one.update(service(1), NICS)
            return {"hidden": hidden, "shown later": one.shown}


async def down():
    """No interface is up, and then one is."""
    one = Mdns(Ear(), SystemClock(), SystemRandomness(), kind=TYPE)
    refused = []
    for nics in ((), (Nic("down", "192.0.2.77", 24, ""),)):
        try:
            await one.start(service(1), nics)
        except NoMdnsError as error:
            refused.append(error.message)
    await one.update(service(1), NICS)
    shown = one.shown
    try:
        await one.update(service(1), ())
    except NoMdnsError as error:
        refused.append(error.message)
    await one.stop()
    await one.stop()
    return {"refused": len(refused), "shown": shown, "ended": not one.shown}


async def main(name):
    scenario = {one.__name__: one for one in (meet, flood, nonsense, conflict, down)}[name]
    async with asyncio.timeout(SECONDS_UNTIL_A_TEST_HANGS):
        print(json.dumps(await scenario()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
