"""Which of this machine's networks count as the household's, and by which of its own addresses it is on each.

IPv4 only. Bridges to containers and virtual machines are left out unless the owner names them: a node that announces
an address of theirs sends its neighbours to a place that exists on this machine alone.
"""

import ipaddress
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from thorp.base.lazy import LazyModule

log = logging.getLogger(__name__)

MOST_NICS: Final = 16
ALONE: Final = 32  # a prefix of this length leaves room for nobody else: a tunnel, not a network
_LAST_WITH_BROADCAST: Final = 30
_BRIDGES: Final = re.compile(r"(docker|veth|virbr|podman|lxcbr|lxdbr|cni).*|br-[0-9a-f]{12}")
_IFADDR: Final = LazyModule("ifaddr")


@dataclass(frozen=True, slots=True)
class Row:
    """One IPv4 address as the system lists it."""

    name: str
    address: str
    prefix: int


@dataclass(frozen=True, slots=True)
class Nic:
    """One address of ours and the network behind it."""

    name: str
    address: str
    prefix: int
    broadcast: str  # empty where the network has none

    @property
    def network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network((self.address, self.prefix), strict=False)


def lan_interfaces(chosen: Collection[str] = ()) -> tuple[Nic, ...]:
    """The networks to meet neighbours on, now. Empty where there is none, or the system does not tell."""
    try:
        rows = tuple(_rows(_IFADDR.load().get_adapters()))
    except OSError as error:
        log.warning("The system does not list its networks: %s", error)
        return ()
    return choose(rows, chosen)


def choose(rows: Iterable[Row], chosen: Collection[str]) -> tuple[Nic, ...]:
    """Those the owner names, by name or address; without a choice, every one that leads to other machines."""
    kept = {row.address: _nic(row) for row in rows if _is_usable(row) and _is_wanted(row, chosen)}
    return tuple(sorted(kept.values(), key=lambda nic: (nic.name, int(ipaddress.IPv4Address(nic.address)))))[:MOST_NICS]


def on_a_network(address: str, nics: Iterable[Nic]) -> bool:
    """Whether an address is an IPv4 address of another machine on one of these networks."""
    try:
        found = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return any(found in nic.network and address not in {nic.broadcast, *_ends(nic)} for nic in nics)


def _ends(nic: Nic) -> tuple[str, ...]:
    """What stands for the network itself; where there is no broadcast, every address is a machine's."""
    return (str(nic.network.network_address),) if nic.broadcast else ()


def _rows(adapters: Iterable[Any]) -> Iterator[Row]:
    for adapter in adapters:
        for ip in adapter.ips:
            if ip.is_IPv4:
                yield Row(str(adapter.name), str(ip.ip), int(ip.network_prefix))


def _is_usable(row: Row) -> bool:
    try:
        address = ipaddress.IPv4Address(row.address)
    except ValueError:
        return False
    return 0 < row.prefix <= ALONE and not (address.is_unspecified or address.is_multicast)


def _is_wanted(row: Row, chosen: Collection[str]) -> bool:
    base = row.name.partition(":")[0]  # `eth0:1` is a second address of eth0
    if chosen:
        return not {row.name, base, row.address}.isdisjoint(chosen)
    bridged = _BRIDGES.fullmatch(base) is not None
    return not (bridged or row.prefix == ALONE or ipaddress.IPv4Address(row.address).is_loopback)


def _nic(row: Row) -> Nic:
    network = ipaddress.IPv4Network((row.address, row.prefix), strict=False)
    broadcast = str(network.broadcast_address) if row.prefix <= _LAST_WITH_BROADCAST else ""
    return Nic(row.name, row.address, row.prefix, broadcast)
