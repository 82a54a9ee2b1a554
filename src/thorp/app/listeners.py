"""The addresses this node answers on: its own user's, its own machine's, and the maker of the exposed one."""

import ipaddress
from collections.abc import Callable

from starlette.types import ASGIApp

from thorp.app.paths import Paths
from thorp.app.services import ListenerService
from thorp.app.settings import Settings
from thorp.net.facts import ListenerFacts
from thorp.net.guards import Guard, GuardPolicy
from thorp.net.listen import TcpListener, UnixListener
from thorp.net.settings import LocalSettings
from thorp.node.types import listener_row
from thorp.wire.capabilities.node import ListenerRow


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hosts_of(host: str) -> tuple[str, ...]:
    """Where the local listener has to be. What a browser calls `localhost` is two addresses, in an order of its own.

    Whoever else held the other one would be shown the logins and codes of people who type that name.
    """
    both = ("127.0.0.1", "::1")
    first = both[0] if host == "localhost" else host
    return (first, *(one for one in both if one != first)) if first in both else (first,)


class Listeners:
    """The two that are always open. They answer with one application behind one guard."""

    def __init__(self, paths: Paths, local: LocalSettings, hosts: Callable[[], tuple[str, ...]], app: ASGIApp) -> None:
        self._paths = paths
        self._host = local.host
        guarded = Guard(app, GuardPolicy(hosts))
        host, *beside = hosts_of(local.host)
        self._tcp = TcpListener(ListenerFacts("local"), host, local.port, guarded, beside=tuple(beside))
        self._local = ListenerService("local", self._tcp)
        self._socket = ListenerService("socket", UnixListener(paths.socket, guarded))

    def services(self) -> tuple[ListenerService, ...]:
        return self._socket, self._local

    @property
    def address(self) -> str:
        """What to open in a browser of this machine."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._tcp.port}"

    def rows(self) -> tuple[ListenerRow, ...]:
        return (
            listener_row("local", self.address, is_open=self._local.is_open),
            listener_row("socket", f"{self._paths.run.name}/{self._paths.socket.name}", is_open=self._socket.is_open),
        )

    def stop_accepting(self) -> None:
        for service in self.services():
            service.stop_accepting()

    def review(self, _old: Settings, new: Settings, /) -> tuple[str, ...]:
        if not is_loopback(new.local.host):
            objection = (
                f"`local.host` {new.local.host} can be reached from outside this machine; that is what "
                "`thorp expose` is for, with TLS and a key."
            )
            return (objection,)
        return ()

    async def apply(self, _old: Settings, _new: Settings, /) -> None:
        """Nothing to do: host and port need a restart, further names are asked for at each request."""
