"""Keeps the swarm engine of the household: runs it while there is somebody to share with, and lets in who is here.

The engine blocks, so every call to it happens in a thread; the loop only says that something changed.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from thorp.app.lan_place import NodePlace, Present
from thorp.app.library_changes import OwedLook
from thorp.app.settings import Settings
from thorp.base.errors import ThorpError
from thorp.base.hooks import nothing
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import working
from thorp.swarm.engine import Engine
from thorp.swarm.profile import household

log = logging.getLogger(__name__)
ORDER: Final = 32
LOOK_AGAIN: Final = 15.0  # seconds between two looks at the networks, when nothing else happens


class EngineService:
    """`poke` from the loop, after anything that decides what the engine does has changed."""

    spec = ServiceSpec("swarm", ORDER, stop_within=20.0)

    def __init__(
        self,
        place: NodePlace,
        present: Present,
        settings: Callable[[], Settings],
        company: Callable[[], bool],
        refresh: Callable[[], None],
    ) -> None:
        self._place = place
        self._present = present
        self._settings = settings
        self._company = company  # whether there is anybody in the household but us
        self._library = OwedLook(refresh)
        self._engine: Engine | None = None
        self._listens: tuple[str, ...] = ()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._over = False  # no engine is to be started any more
        self._turn = threading.Lock()  # around starting and stopping: a look may be at work when the end comes
        self._opening = threading.Lock()  # so that who was let in last is what the engine goes by
        self.changed: Callable[[], None] = nothing  # the port is another one
        self.why = ""  # nothing runs, or not everywhere

    def engine(self) -> Engine | None:
        return self._engine

    def port(self) -> int:
        engine = self._engine  # it may go in the next moment
        return engine.port if engine is not None else 0

    def admitted(self) -> frozenset[str]:
        """Whom the engine lets in now."""
        return self._present.addresses() | frozenset(self._settings().swarm.hosts)

    def poke(self, *, library: bool = False) -> None:
        if library:
            self._library.owe()
        self._wake.set()

    def admit(self) -> None:
        """Somebody came or went. Who went is cut off whatever else the engine is busy with."""
        self._moved.set()

    async def run(self, life: Life) -> None:
        self._over = False
        door = ThreadPoolExecutor(1, "swarm-door")  # its own: who is cut off does not wait behind anybody's work
        try:
            await working(life, "swarm", admit=self._admit(door), follow=self._follow())
        finally:
            door.shutdown(wait=False)
            self._over = True  # for a thread, too, that is in the middle of starting one
            await asyncio.to_thread(self._end)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            before = self.port()
            await asyncio.to_thread(self._look)
            if self.port() != before:
                self.changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN)

    async def _admit(self, door: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._moved.wait()
            self._moved.clear()
            if (engine := self._engine) is not None:
                await loop.run_in_executor(door, self._open, engine)

    def _open(self, engine: Engine) -> None:
        with self._opening:
            engine.open_to(self.admitted())

    def _look(self) -> None:
        """Bring the engine to what is wanted now."""
        self._present.nics = self._place.nics()
        try:
            engine = self._run_or_end(self._settings())
            if engine is not None:
                self._library.settle()
            self._say(engine.trouble if engine is not None else "")
        except ThorpError as error:
            self._say(error.message)

    def _say(self, why: str) -> None:
        if why and why != self.why:
            log.warning("the swarm does not do all it should: %s", why)
        self.why = why

    def _run_or_end(self, settings: Settings) -> Engine | None:
        """The engine that runs from here on, if one shall."""
        with self._turn:
            if self._over or not self._is_wanted(settings):
                self._stop_engine()
                return None
            engine = self._begin(settings)
            self._open(engine)
            engine.limit(down=settings.transfers.limit, up=settings.swarm.upload)
            return engine

    def _is_wanted(self, settings: Settings) -> bool:
        """Not for fetching alone: while a file comes in, others are given what is there of it."""
        allowed = settings.lan.enabled and settings.sharing.household and bool(self._present.nics)
        return allowed and (settings.swarm.tracker or self._company())

    def _begin(self, settings: Settings) -> Engine:
        listens = tuple(nic.address for nic in self._present.nics)
        if self._engine is not None:
            if listens != self._listens or self._engine.trouble:
                self._engine.listen_on(listens)
                self._listens = listens
            return self._engine
        swarm = settings.swarm
        engine = Engine(household(listens, swarm.port, encrypt=swarm.encrypt, others=swarm.tracker))
        engine.start()
        self._engine, self._listens = engine, listens
        self._library.owe()
        log.info("files go between members at port %d", engine.port)
        return engine

    def _end(self) -> None:
        with self._turn:
            self._stop_engine()

    def _stop_engine(self) -> None:
        engine, self._engine, self._listens = self._engine, None, ()
        if engine is not None:
            engine.stop()
