"""The listener for other devices of the house: open while the settings say so, with a certificate of its own.

The settings decide and this service follows them; `thorp expose` is a change of settings plus a new key.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from thorp.access.keys import KeyRing
from thorp.app.keeper import ConfigKeeper
from thorp.app.services import close_listener
from thorp.app.settings import Settings
from thorp.base.clock import Clock
from thorp.base.files import DISK, facts_of, read_bounded, write_atomically
from thorp.base.service import Life, ServiceSpec
from thorp.identity.scopes import Scope
from thorp.net.addresses import is_any, own_address
from thorp.net.facts import ListenerFacts
from thorp.net.guards import Guard, GuardPolicy
from thorp.net.listen import TcpListener
from thorp.net.settings import LocalSettings
from thorp.net.tls import Certificate, expires, fingerprint_of, make_certificate, server_context
from thorp.node.types import listener_row
from thorp.wire.capabilities.exposure import (
    EXPOSURE_CLOSE,
    EXPOSURE_OPEN,
    ExposeAnswer,
    ExposeRequest,
    UnexposeAnswer,
)
from thorp.wire.capabilities.node import ListenerRow
from thorp.wire.capability import Call, Nothing, Offer
from thorp.wire.changes import Change, ExposureChanged, KeysChanged

log = logging.getLogger(__name__)
ORDER: Final = 40  # opens last, closes first
CERTIFICATE: Final = "expose.crt"
CERTIFICATE_KEY: Final = "expose.key"
LARGEST_PEM: Final = 64 * 1024
KEY_SCOPES: Final = frozenset({Scope.INFERENCE, Scope.MODELS_READ, Scope.SLOTS_READ, Scope.NODE_READ})
OVER_TLS: Final = "The certificate is this node's own; compare its fingerprint on the other device once."
READABLE: Final = "Without TLS everybody on this network can read prompts, answers and the key."


@dataclass(frozen=True, slots=True)
class Way:
    """How the node is exposed: where, and whether with TLS."""

    host: str
    port: int
    plain: bool


def way_of(local: LocalSettings) -> Way | None:
    return Way(local.expose_host, local.expose_port, local.expose_plain) if local.expose_host else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A listener that is not open yet."""

    listener: TcpListener
    scheme: str
    host: str  # as another device writes it
    fingerprint: str | None

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.listener.port}"


def own_name() -> str:
    """What this machine calls itself, without its domain."""
    return socket.gethostname().partition(".")[0] or "thorp"


class ExposedMaker:
    """Makes the exposed listener, and its certificate when there is none yet."""

    def __init__(self, keys: Path, clock: Clock, app: ASGIApp, hosts: Callable[[], tuple[str, ...]]) -> None:
        self._keys = keys
        self._clock = clock
        self._guarded = Guard(app, GuardPolicy(hosts, machine=own_name()))

    def make(self, way: Way) -> Prepared:
        host = own_address() or socket.gethostname() if is_any(way.host) else way.host
        facts = ListenerFacts("exposed", tls=not way.plain)
        if way.plain:
            listener = TcpListener(facts, way.host, way.port, self._guarded, setting="local.expose_port")
            return Prepared(listener, "http", host, None)
        own = self._certificate(host)
        tls = server_context(own.certificate, own.key)
        listener = TcpListener(facts, way.host, way.port, self._guarded, tls=tls, setting="local.expose_port")
        return Prepared(listener, "https", host, own.fingerprint)

    def _certificate(self, host: str) -> Certificate:
        """The certificate that is there, as long as it lives; its fingerprint is what people have compared."""
        path, key_path = self._keys / CERTIFICATE, self._keys / CERTIFICATE_KEY
        if facts_of(DISK, path) and facts_of(DISK, key_path):
            kept, key = read_bounded(DISK, path, LARGEST_PEM), read_bounded(DISK, key_path, LARGEST_PEM)
            if expires(kept) > self._clock.wall():
                return Certificate(kept, key, fingerprint_of(kept))
        made = make_certificate((own_name(), f"{own_name()}.local", host, "localhost"), self._clock.wall())
        write_atomically(DISK, key_path, made.key)
        write_atomically(DISK, path, made.certificate)
        return made


class Exposure:
    """Follows the settings: opens, moves and closes the exposed listener."""

    spec = ServiceSpec("exposure", ORDER)

    def __init__(
        self,
        wanted: Callable[[], LocalSettings],
        prepare: Callable[[Way], Prepared],
        announce: Callable[[Change], None],
    ) -> None:
        self._wanted = wanted
        self._prepare = prepare
        self._announce = announce
        self.opened: Prepared | None = None

    async def run(self, life: Life) -> None:
        try:
            if self.opened is None:  # the owner may have opened it while a failed start was waiting for its next try
                await self._follow(way_of(self._wanted()))
        finally:
            life.ready()  # a node in another network is of use without it; the failure shows in its status
        try:
            await life.until_stop()
        finally:
            await self._close()

    def review(self, _old: Settings, new: Settings, /) -> tuple[str, ...]:
        way = way_of(new.local)
        if way and way.port == new.local.port and way.port:
            return (f"`local.expose_port` {way.port} is `local.port` too; choose another one.",)
        return ()

    async def apply(self, old: Settings, new: Settings, /) -> None:
        before, after = way_of(old.local), way_of(new.local)
        if before == after:
            return
        try:
            await self._follow(after)
        except BaseException:
            await self._follow(before)
            raise

    async def _follow(self, way: Way | None) -> None:
        await self._close()
        if way is None:
            return
        opened = self._prepare(way)
        await opened.listener.start()
        self.opened = opened
        log.info("exposed at %s", self.address)
        self._announce(ExposureChanged(address=self.address))

    async def _close(self) -> None:
        opened, self.opened = self.opened, None
        if opened is None:
            return
        await close_listener(opened.listener)
        self._announce(ExposureChanged(address=None))

    @property
    def address(self) -> str | None:
        return self.opened.address if self.opened else None

    def rows(self) -> tuple[ListenerRow, ...]:
        opened = self.opened
        if opened is None:
            return ()
        return (listener_row("exposed", opened.address, is_open=True, fingerprint=opened.fingerprint),)

    def stop_accepting(self) -> None:
        if self.opened:
            self.opened.listener.stop_accepting()


class ExposureDesk:
    """The owner's verbs."""

    def __init__(
        self, exposure: Exposure, keeper: ConfigKeeper, ring: KeyRing, announce: Callable[[Change], None]
    ) -> None:
        self._exposure = exposure
        self._keeper = keeper
        self._ring = ring
        self._announce = announce

    async def expose(self, call: Call[ExposeRequest]) -> ExposeAnswer:
        asked = call.input
        change: dict[str, object] = {"local.expose_host": asked.host, "local.expose_plain": asked.plain}
        if asked.port is not None:
            change["local.expose_port"] = asked.port
        await self._keeper.change(change)
        grant, key = await self._ring.create("exposed", KEY_SCOPES)
        self._announce(KeysChanged(id=grant.id, what="created"))
        opened = self._exposure.opened
        return ExposeAnswer(
            address=opened.address if opened else "",
            fingerprint=opened.fingerprint if opened else None,
            key=key,
            key_id=grant.id,
            warning=READABLE if asked.plain else OVER_TLS,
        )

    async def unexpose(self, _call: Call[Nothing]) -> UnexposeAnswer:
        was_open = self._exposure.opened is not None
        await self._keeper.change({"local.expose_host": None, "local.expose_port": None, "local.expose_plain": None})
        return UnexposeAnswer(was_open=was_open)

    def offers(self) -> tuple[Offer, ...]:
        return (Offer(EXPOSURE_OPEN, unary=self.expose), Offer(EXPOSURE_CLOSE, unary=self.unexpose))
