"""The long-lived parts of the node as services of the tree: thin shells around what `store`, `bus` and `net` offer."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from thorp.base.service import Life, Restart, ServiceSpec
from thorp.bus.dispatch import Bus
from thorp.net.listen import Listener
from thorp.store.database import Database
from thorp.wire.capability import Offer

STORE: Final = 10
CAPABILITIES: Final = 20
LISTENERS: Final = 30
LAST_WORDS: Final = 1.0  # seconds for answers already under way when a listener closes


class Shelf(Protocol):
    """Something that keeps a snapshot of its table in memory."""

    async def load(self) -> None: ...


class StoreService:
    """The database and the shelves on it. Without it there is no node."""

    spec = ServiceSpec("store", STORE, Restart.NEVER, ready_within=60.0)

    def __init__(self, database: Database, shelves: Sequence[Shelf]) -> None:
        self._database = database
        self._shelves = shelves

    async def run(self, life: Life) -> None:
        await asyncio.to_thread(self._database.open)
        try:
            for shelf in self._shelves:
                await shelf.load()
            life.ready()
            await life.until_stop()
        finally:
            await asyncio.to_thread(self._database.close)


class CapabilityService:
    """Puts every offer on the bus once its self-test passed."""

    spec = ServiceSpec("capabilities", CAPABILITIES, ready_within=60.0)

    def __init__(self, bus: Bus, offers: Callable[[], Iterable[Offer]]) -> None:
        self._bus = bus
        self._offers = offers

    async def run(self, life: Life) -> None:
        for offer in self._offers():
            await self._bus.register(offer)
        life.ready()
        await life.until_stop()


async def close_listener(listener: Listener) -> None:
    """Nobody comes in any more, and who is inside gets a moment."""
    listener.stop_accepting()
    await listener.drain(LAST_WORDS)


class ListenerService:
    """One address that answers. A node whose own address is gone is of no use, so its end is the node's."""

    def __init__(self, name: str, listener: Listener) -> None:
        self.spec = ServiceSpec(name, LISTENERS, Restart.NEVER)
        self.is_open = False
        self._listener = listener

    async def run(self, life: Life) -> None:
        await self._listener.start()
        self.is_open = True
        try:
            life.ready()
            await life.until_stop()
        finally:
            self.is_open = False
            await close_listener(self._listener)

    def stop_accepting(self) -> None:
        self._listener.stop_accepting()
        self.is_open = False
