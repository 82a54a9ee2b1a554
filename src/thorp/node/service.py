"""Performs what the node feature offers: looks around and tells, says things back, asks for the end."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from thorp.base.clock import Clock
from thorp.base.moments import rfc3339
from thorp.node.ports import Gauges, Surroundings
from thorp.node.types import Listing, Self
from thorp.wire.capabilities.node import (
    BusyRow,
    CapabilitiesAnswer,
    CapabilityRow,
    ConfigRow,
    DiskRow,
    EchoAnswer,
    EchoFrame,
    EchoRequest,
    InfoAnswer,
    ListingRow,
    MemoryRow,
    NodeRow,
    StatusAnswer,
    StopAnswer,
)
from thorp.wire.capability import Call, Done, Nothing

PROTOCOL: Final = 1


class NodeFeature:
    """The whole feature: what this machine says about itself."""

    def __init__(self, me: Self, surroundings: Surroundings, gauges: Gauges, clock: Clock) -> None:
        self._me = me
        self._around = surroundings
        self._gauges = gauges
        self._clock = clock

    @property
    def name(self) -> str:
        return self._around.name()

    async def info(self, _call: Call[Nothing]) -> InfoAnswer:
        return InfoAnswer(id=self._me.id, name=self.name, version=self._me.version, protocol=PROTOCOL)

    async def echo(self, call: Call[EchoRequest]) -> AsyncGenerator[EchoFrame | Done, None]:
        words = call.input.text.split()
        for word in words:
            if call.input.pause_ms:
                await asyncio.sleep(call.input.pause_ms / 1000)
            yield EchoFrame(word=word)
        yield Done(EchoAnswer(text=call.input.text, words=len(words)))

    async def capabilities(self, _call: Call[Nothing]) -> CapabilitiesAnswer:
        return CapabilitiesAnswer(capabilities=tuple(capability_row(one) for one in self._around.listings()))

    async def status(self, _call: Call[Nothing]) -> StatusAnswer:
        return self.report()

    async def stop(self, _call: Call[Nothing]) -> StopAnswer:
        self._around.request_stop("the owner asked for it")
        return StopAnswer(stopping=True)

    def report(self) -> StatusAnswer:
        """How this node is doing right now."""
        around, readings, busy = self._around, self._gauges.read(), self._around.busy()
        return StatusAnswer(
            node=NodeRow(
                id=self._me.id,
                name=self.name,
                version=self._me.version,
                state=around.state().value,
                started=rfc3339(self._me.started),
                uptime_s=round(max(0.0, self._clock.wall() - self._me.started), 3),
                pid=self._me.pid,
            ),
            claimed=around.claimed(),
            listeners=around.listeners(),
            services=tuple(one.row() for one in around.services()),
            capabilities=tuple(listing_row(one) for one in around.listings()),
            memory=MemoryRow(resident_bytes=readings.resident_bytes),
            disk=DiskRow(free_bytes=readings.disk_free, total_bytes=readings.disk_total),
            config=ConfigRow(needs_restart=around.needs_restart()),
            busy=BusyRow(transfers=busy.transfers, peers=busy.peers),
            stopped_cleanly=around.stopped_cleanly(),
        )


def listing_row(listing: Listing) -> ListingRow:
    one = listing.capability
    return ListingRow(id=one.id, summary=one.summary, listed=listing.listed, reason=listing.reason)


def capability_row(listing: Listing) -> CapabilityRow:
    one = listing.capability
    return CapabilityRow(
        id=one.id,
        name=one.name,
        version=one.version,
        summary=one.summary,
        trust=one.trust.word,
        scope=one.scope,
        mesh=one.mesh,
        idempotent=one.idempotent,
        streamed=one.frames is not None,
        schema_hash=one.schema_hash(),
        listed=listing.listed,
        reason=listing.reason,
    )
