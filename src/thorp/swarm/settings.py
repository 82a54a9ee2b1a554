"""The settings of the swarm: how files travel between the nodes of a household, and to other clients in it."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from thorp.base.settings import Shape, setting


def is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def entrance_of(text: str) -> tuple[str, int] | None:
    """`host:port` in its two parts; None for anything else."""
    host, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= _LONGEST_PORT and 0 < int(port) <= HIGHEST_PORT
    is_host = is_ipv4(host) or (_NAME.fullmatch(host) is not None and not host.rpartition(".")[2].isdigit())
    return (host, int(port)) if is_port and is_host else None


def is_entrance(text: str) -> bool:
    return entrance_of(text) is not None


HIGHEST_PORT: Final = 65535
_LONGEST_PORT: Final = 5
_NAME: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9-]{1,63})*")
ENTRANCE = Shape("an address and a port, as `host:port`", "addresses with ports, as `host:port`", is_entrance)
MACHINE = Shape("an IPv4 address", "IPv4 addresses", is_ipv4)


@dataclass(frozen=True, slots=True)
class SwarmSettings:
    port: int = setting(
        7081, "Port for files between members; 0 takes any free one.", owner=True, minimum=0, maximum=65535
    )
    upload: int = setting(
        0, "Bytes a second that neighbours may take from here by the swarm; 0: no limit.", live=True, minimum=0
    )
    encrypt: bool = setting(False, "Hide what members send each other from who listens in; costs processor time.")
    tracker: bool = setting(False, "Let other BitTorrent clients of the house fetch what members may have.", owner=True)
    tracker_port: int = setting(
        7082, "Port of that tracker, plain HTTP; 0 takes any free one.", owner=True, minimum=0, maximum=65535
    )
    hosts: tuple[str, ...] = setting(
        (), "Addresses of machines that are no members and may fetch as well.", live=True, owner=True, shape=MACHINE
    )
    public: bool = setting(
        False, "Hand out to everybody on the internet what `thorp share --public` named.", live=True, owner=True
    )
    public_port: int = setting(
        6881,
        "Port for everybody, TCP and UDP, to be opened in your router; 0 takes any free one.",
        live=True,
        owner=True,
        minimum=0,
        maximum=HIGHEST_PORT,
    )
    public_upload: int = setting(
        0, "Bytes a second that everybody together may take from here; 0: no limit.", live=True, minimum=0
    )
    bootstrap: tuple[str, ...] = setting(
        (),
        "Where to find the DHT, by which others find what is public; private addresses alone: one of your own network.",
        live=True,
        owner=True,
        shape=ENTRANCE,
    )
