"""The swarm for everybody: a session of its own, which runs only while the owner says so.

It hands out what the owner published by name and nothing else, and listens where this machine meets the internet. The
engine blocks, so every call to it happens in a thread, one at a time.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Final

from thorp.app.library_changes import OwedLook, each_library_change
from thorp.app.settings import Settings
from thorp.base.errors import ThorpError
from thorp.base.fanout import Fanout
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import working
from thorp.net.addresses import own_address
from thorp.swarm.engine import Engine
from thorp.swarm.profile import NEVER, Profile, is_own_network, public
from thorp.swarm.settings import SwarmSettings, entrance_of
from thorp.wire.changes import Change

log = logging.getLogger(__name__)
ORDER: Final = 34
LOOK_AGAIN: Final = 15.0  # seconds between two looks at the machine's address, when nothing else happens


class PublicEngineService:
    """A reviewer too: a change of the settings has been followed when it is answered."""

    spec = ServiceSpec("public swarm", ORDER, stop_within=20.0)

    def __init__(
        self,
        settings: Callable[[], Settings],
        refresh: Callable[[], None],
        changes: Fanout[Change],
        address: Callable[[], str | None] = own_address,
    ) -> None:
        self._settings = settings
        self._library = OwedLook(refresh)
        self._changes = changes
        self._address = address
        # As last applied; None: as at the start. The node's own settings change after every reviewer has followed.
        self._wanted: SwarmSettings | None = None
        self._engine: Engine | None = None
        self._profile: Profile | None = None  # as the engine was started
        self._listens = ""
        self._runs = False
        self._turn = Lock()
        self._wake = asyncio.Event()
        self.why = ""  # nothing runs

    def engine(self) -> Engine | None:
        return self._engine

    def port(self) -> int:
        return self._engine.port if self._engine is not None else 0

    def review(self, _old: Settings, _new: Settings, /) -> tuple[str, ...]:
        return ()

    async def apply(self, old: Settings, new: Settings, /) -> None:
        self._wanted = new.swarm
        if old.swarm != new.swarm and self._runs:
            await asyncio.to_thread(self._look)

    async def run(self, life: Life) -> None:
        self._runs = True
        watch = each_library_change(self._changes, self._changed)
        try:
            await working(life, "public swarm", watch=watch, follow=self._follow())
        finally:
            self._runs = False
            await asyncio.to_thread(self._stop)

    def _changed(self) -> None:
        self._library.owe()
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            await asyncio.to_thread(self._look)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN)

    def _look(self) -> None:
        """Bring the engine to what is wanted now."""
        with self._turn:
            settings = self._wanted or self._settings().swarm
            if not (settings.public and self._runs):
                self._end()
                self.why = ""
                return
            try:
                self._say(self._bring(settings))
            except ThorpError as error:
                self._say(f"Sharing with everybody: {error.message}")
                if self._engine is not None and not self._engine.port:
                    self._end()

    def _bring(self, settings: SwarmSettings) -> str:
        """Have it run as it shall; answers what stands in the way."""
        address = self._address()
        if address is None:
            self._end()
            return "Sharing with everybody: this machine has no way to the internet."
        self._begin(settings, address).limit(down=0, up=settings.public_upload)
        self._library.settle()
        return ""

    def _begin(self, settings: SwarmSettings, address: str) -> Engine:
        profile = profile_of(settings)
        if profile != self._profile:
            self._end()
        if self._engine is not None:
            if address != self._listens:
                self._engine.listen_on((address,))
                self._listens = address
            return self._engine
        engine = Engine(replace(profile, listen=(address,)))
        engine.start()
        self._engine, self._profile, self._listens = engine, profile, address
        self._library.owe()
        log.info("what is public goes out at port %d", engine.port)
        return engine

    def _say(self, why: str) -> None:
        if why and why != self.why:
            log.warning("%s", why)
        self.why = why

    def _stop(self) -> None:
        with self._turn:
            self._end()

    def _end(self) -> None:
        engine, self._engine, self._profile = self._engine, None, None
        if engine is not None:
            engine.stop()


def profile_of(settings: SwarmSettings) -> Profile:
    """How the engine for everybody behaves, wherever it listens."""
    bootstrap = [one for one in map(entrance_of, settings.bootstrap) if one is not None]
    if not is_own_network(bootstrap):
        return public((), settings.public_port, bootstrap=bootstrap)
    return replace(public((), settings.public_port, bootstrap=bootstrap, near=True), denied=NEVER)
