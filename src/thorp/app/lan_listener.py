"""The door for other nodes: open while the household has other members, or an invite waits to be used; else shut.

Where it cannot be opened the node goes on without, says why, and tries again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from thorp.app.services import close_listener
from thorp.app.settings import Settings
from thorp.base.errors import ConflictError, ThorpError
from thorp.base.files import DISK
from thorp.base.hooks import nothing
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import working
from thorp.net.addresses import is_any, own_address
from thorp.net.facts import ListenerFacts
from thorp.net.hygiene import HttpLimits
from thorp.net.listen import TcpListener
from thorp.net.mesh_tls import mesh_server_context, node_certificate
from thorp.store.keyfiles import node_seed

log = logging.getLogger(__name__)
ORDER: Final = 35
LOOK_AGAIN: Final = 10.0  # seconds until the next try, and until a door that nobody needs any more is shut
# Anybody of the network may knock here, and who has no session yet has little to say.
LIMITS: Final = HttpLimits(head_bytes=8 * 1024, connections=256, connections_per_peer=48, handshake_seconds=5.0)


class LanOffError(ConflictError):
    """Meeting other nodes is turned off."""

    code = "household.off"


class MeshListenerService:
    """`poke` after anything changed that decides whether it is needed."""

    spec = ServiceSpec("mesh", ORDER)

    def __init__(
        self, keys: Path, settings: Callable[[], Settings], app: Callable[[], ASGIApp], needed: Callable[[], bool]
    ) -> None:
        self._keys = keys
        self._settings = settings
        self._app = app
        self._needed = needed
        self._listener: TcpListener | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._runs = False
        self._guest = False  # it was opened for an invite that is not made yet
        self.changed: Callable[[], None] = nothing  # the port is another one
        self.why = ""  # it is not open, though it should be

    @property
    def port(self) -> int:
        listener = self._listener  # asked by threads, too
        return listener.port if listener is not None else 0

    @property
    def address(self) -> str:
        host = self._settings().mesh.host
        host = (own_address() or host) if is_any(host) else host
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"

    def poke(self) -> None:
        self._wake.set()

    async def open_up(self) -> None:
        """Open it now, for an invite that is being made; raises why it cannot be."""
        if not self._settings().lan.enabled:
            raise LanOffError("Meeting other nodes is turned off here: `thorp config set lan.enabled true`.")
        async with self._turn:
            if not self._runs:
                raise LanOffError("This node is not up, so nobody could use an invite. Try again when it is.")
            self._guest = True
            await self._open()

    async def run(self, life: Life) -> None:
        self._runs = True
        try:
            await working(life, "mesh listener", follow=self._follow())
        finally:
            async with self._turn:
                self._runs = False
                await self._close()

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            async with self._turn:
                await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN)

    async def _look(self) -> None:
        enabled, guest, self._guest = self._settings().lan.enabled, self._guest, False
        if not (enabled and (guest or self._needed())):
            self.why = ""
            await self._close()
            return
        try:
            await self._open()
        except ThorpError as error:
            if error.message != self.why:
                log.warning("other nodes cannot reach this one: %s", error.message)
            self.why = error.message

    async def _open(self) -> None:
        if self._listener is not None:
            return
        seed = await asyncio.to_thread(node_seed, DISK, self._keys)
        tls, mesh = mesh_server_context(node_certificate(seed)), self._settings().mesh
        listener = TcpListener(
            ListenerFacts("mesh", tls=True), mesh.host, mesh.port, self._app(), LIMITS, tls=tls, setting="mesh.port"
        )
        await listener.start()
        self._listener, self.why = listener, ""
        log.info("members are answered at %s", self.address)
        self.changed()

    async def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await close_listener(listener)
            self.changed()

    def stop_accepting(self) -> None:
        if self._listener is not None:
            self._listener.stop_accepting()
