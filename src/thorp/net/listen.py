"""Listeners: a bound address, the door in front of it and the protocol behind, from start to drained.

No signal handlers, no globals: what uvicorn's own server does around its protocol is done here.
"""

import asyncio
import errno
import logging
import os
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, cast

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from thorp.base.errors import ConflictError, NotAllowedError, ThorpError, UsageError
from thorp.base.tasks import TaskScope
from thorp.net.door import Door, Gate, Premises, Visit
from thorp.net.facts import UNKNOWN_PEER, ListenerFacts, PeerFacts
from thorp.net.holder import free_port_above, holder_of
from thorp.net.hygiene import HttpLimits
from thorp.net.peeruid import is_at_home, is_same_user, is_within, own_uid, tcp_peer_uid, unix_peer_uid
from thorp.net.protocol import HouseProtocol, Speaking

log = logging.getLogger(__name__)

BACKLOG: Final = 512
TRIES_FOR_ONE_PORT: Final = 16  # where any free one will do, but the same on several addresses
STILL_THERE: Final = 0.5  # seconds a stale socket's owner has to answer


class PortTakenError(ConflictError):
    """Somebody else listens on this port."""

    code = "net.port_taken"


class PortForbiddenError(NotAllowedError):
    """The system does not let this user have this port."""

    code = "net.port_forbidden"


class NoSuchAddressError(UsageError):
    """An address this machine does not have."""

    code = "net.no_such_address"


class SocketTakenError(ConflictError):
    """Something else lies or listens where the Unix socket should be."""

    code = "net.socket_taken"


class UnsafeFolderError(NotAllowedError):
    """A folder other users can enter, or that is not ours."""

    code = "net.unsafe_folder"


class Listener(Protocol):
    @property
    def facts(self) -> ListenerFacts: ...

    async def start(self) -> None: ...

    def stop_accepting(self) -> None:
        """New connections are refused by the system from here on."""
        ...

    async def drain(self, seconds: float) -> None:
        """Idle connections end at once; running requests may finish for so long, then they are cancelled."""
        ...


class TcpListener:
    """Listens on one TCP address, with TLS or without, and on those `beside` it that this machine has.

    `setting` is what the owner changes when the port is taken.
    """

    def __init__(  # noqa: PLR0913  (what a listener is, all of it)
        self,
        facts: ListenerFacts,
        host: str,
        port: int,
        app: ASGIApp,
        limits: HttpLimits | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        setting: str = "local.port",
        beside: tuple[str, ...] = (),
    ) -> None:
        self._host = host
        self._beside = beside
        self._port = port
        self._setting = setting
        self._house = _House(replace(facts, tls=tls is not None), app, limits or HttpLimits(), tls, _tcp_peer)

    @property
    def facts(self) -> ListenerFacts:
        return self._house.facts

    @property
    def port(self) -> int:
        """The port that was really bound; it differs from what was asked for when that was 0."""
        return self.facts.bound[0][1] if self.facts.bound else self._port

    async def start(self) -> None:
        await self._house.open(await self._bind_all(1 if self._port else TRIES_FOR_ONE_PORT))

    async def _bind_all(self, tries: int) -> list[asyncio.Server]:
        """One port on all addresses, or none."""
        servers = [await self._bind(self._host, self._port)]
        port = servers[0].sockets[0].getsockname()[1]
        try:
            for host in self._beside:
                with suppress(NoSuchAddressError):  # then nobody else can listen there either
                    servers.append(await self._bind(host, port))
        except PortTakenError:
            for server in servers:
                server.close()
            if tries > 1:
                return await self._bind_all(tries - 1)
            raise
        return servers

    async def _bind(self, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(self._house.door, host, port, backlog=BACKLOG, start_serving=False)
        except OSError as error:
            # Who holds the port is found by reading every open file of the machine.
            raise await asyncio.to_thread(why_not_bound, error, host, port, self._setting) from None

    def stop_accepting(self) -> None:
        self._house.stop_accepting()

    async def drain(self, seconds: float) -> None:
        await self._house.drain(seconds)


class UnixListener:
    """Listens on a socket only this user can reach: 0600, in a folder of 0700."""

    def __init__(self, path: Path, app: ASGIApp, limits: HttpLimits | None = None) -> None:
        self._path = path
        self._inode = 0
        self._house = _House(ListenerFacts("socket"), app, limits or HttpLimits(), None, _unix_peer)

    @property
    def facts(self) -> ListenerFacts:
        return self._house.facts

    async def start(self) -> None:
        bound = bind_privately(self._path)
        self._inode = self._path.stat().st_ino
        loop = asyncio.get_running_loop()
        await self._house.open(
            [await loop.create_unix_server(self._house.door, sock=bound, backlog=BACKLOG, start_serving=False)]
        )

    def stop_accepting(self) -> None:
        self._house.stop_accepting()
        with suppress(FileNotFoundError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()

    async def drain(self, seconds: float) -> None:
        await self._house.drain(seconds)


class _House:
    """What both kinds of listeners share: everything behind the bound address."""

    def __init__(
        self,
        facts: ListenerFacts,
        app: ASGIApp,
        limits: HttpLimits,
        tls: ssl.SSLContext | None,
        peer_facts: Callable[[asyncio.Transport], PeerFacts],
    ) -> None:
        config = Config(
            app,
            http=HouseProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # else uvicorn believes `X-Forwarded-For` from this machine
        )
        tasks = TaskScope(f"{facts.kind} listener")
        self._speaking = Speaking(config, ServerState(), limits, tasks, facts)
        self._premises = Premises(Gate(limits), limits, tasks, self._admit, peer_facts, tls)
        self._servers: list[asyncio.Server] = []

    @property
    def facts(self) -> ListenerFacts:
        return self._speaking.facts

    def door(self) -> Door:
        return Door(self._premises)

    def _admit(self, visit: Visit) -> HouseProtocol:
        return HouseProtocol(self._speaking, visit)

    async def open(self, servers: list[asyncio.Server]) -> None:
        """Take connections, now that it is known where."""
        names: list[object] = [bound.getsockname() for server in servers for bound in server.sockets]
        addresses = tuple(cast("tuple[str, int]", name[:2]) for name in names if isinstance(name, tuple))
        self._speaking = replace(self._speaking, facts=replace(self.facts, bound=addresses))
        self._servers = servers
        for server in servers:
            await server.start_serving()

    def stop_accepting(self) -> None:
        for server in self._servers:
            server.close()

    async def drain(self, seconds: float) -> None:
        gate = self._premises.gate
        gate.close()
        for connection in tuple(self._speaking.state.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await gate.empty.wait()
        await self._speaking.tasks.close()
        gate.cut()
        await gate.empty.wait()


def _tcp_peer(wire: asyncio.Transport) -> PeerFacts:
    """Asked once, now: after the client has closed nobody can tell any more."""
    client: object = wire.get_extra_info("peername")
    server: object = wire.get_extra_info("sockname")
    if not (isinstance(client, tuple) and isinstance(server, tuple)):
        return UNKNOWN_PEER
    ends = cast("tuple[str, int]", client[:2]), cast("tuple[str, int]", server[:2])
    same_user = is_same_user(tcp_peer_uid(*ends), own_uid())
    return PeerFacts(same_user, is_at_home(same_user, within=is_within(*ends)))


def _unix_peer(wire: asyncio.Transport) -> PeerFacts:
    same_user = is_same_user(unix_peer_uid(wire.get_extra_info("socket")), own_uid())
    return PeerFacts(same_user, is_at_home(same_user, within=True))


def why_not_bound(error: OSError, host: str, port: int, setting: str) -> ThorpError:
    """What stands in the way of this address, and what the owner can do about it."""
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        free = free_port_above(host, port)
        remedy = f"`thorp config set {setting} {free}`"
        if setting == "local.port":
            remedy = f"`thorp up --port {free}`, or for good {remedy}"
        return PortTakenError(
            f"Port {port} on {host} is taken{f' by {holder}' if holder else ''}. Use another one: {remedy}.",
            port=port,
            holder=holder,
            setting=setting,
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return PortForbiddenError(f"This user may not listen on {where}; take a port from 1024 up: `{setting}`.")
    is_named = error.errno and not isinstance(error, socket.gaierror)  # whose numbers are no errno
    reason = os.strerror(error.errno or 0) if is_named else error.strerror or error  # asyncio words it with the address
    return NoSuchAddressError(f"This machine cannot listen on {where}: {reason}. Check the address.")


def bind_privately(path: Path) -> socket.socket:
    """A Unix socket at `path`. Only a socket that nobody answers on is replaced."""
    _check_folder(path.parent)
    _remove_stale(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o600)
    except OSError:
        made.close()
        raise
    return made


def _check_folder(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != own_uid() or found.st_mode & 0o077:
        raise UnsafeFolderError(f"{folder} must be a folder of yours that nobody else can enter: `chmod 700 {folder}`.")


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketTakenError(f"{path} exists and is no socket; move it away.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(STILL_THERE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            log.debug("%s does not answer: %s", path, error)
    raise SocketTakenError(f"Another process listens on {path}; `thorp down` ends a node that runs there.")
