"""Where the node listens. Which addresses these are for is said in each line; nothing is bound here."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from thorp.base.settings import Shape, setting

LONGEST_NAME: Final = 253
LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")


def is_address(text: str) -> bool:
    """Whether it is an IP address, or the name that stands for this machine's own."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "localhost"
    return True


def is_host(text: str) -> bool:
    """Whether it is the plain name of a machine or an address: no scheme, no port, no pattern."""
    labels = text.removesuffix(".").split(".")
    is_name = all(map(LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return is_address(text) or (is_name and len(text) <= LONGEST_NAME)


ADDRESS: Final = Shape("an IP address or `localhost`", "IP addresses", is_address)
HOST: Final = Shape(
    "a host name or an IP address, without scheme and port",
    "host names or IP addresses, without scheme and port",
    is_host,
)


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The owner's own listener, and its exposed twin."""

    host: str = setting(
        "127.0.0.1",
        "Address of the local listener; one of this machine's loopback addresses.",
        owner=True,
        shape=ADDRESS,
    )
    port: int = setting(8737, "Port of the local listener; 0 takes any free one.", owner=True, minimum=0, maximum=65535)
    hosts: tuple[str, ...] = setting(
        (), "Further host names this node answers to, beside its addresses.", live=True, owner=True, shape=HOST
    )
    open_inference: bool = setting(
        True, "Let your own programs on this machine use models without a key.", live=True, owner=True
    )
    expose_host: str = setting(
        "", "Address `thorp expose` listens on; empty: not exposed.", live=True, owner=True, shape=HOST
    )
    expose_port: int = setting(8738, "Port `thorp expose` listens on.", live=True, owner=True, minimum=0, maximum=65535)
    expose_plain: bool = setting(False, "Expose without TLS: keys and prompts travel readable.", live=True, owner=True)


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """The listener for other nodes."""

    host: str = setting(
        "0.0.0.0",  # noqa: S104  (the mesh is the LAN)
        "Address of the listener for the other nodes of the household.",
        owner=True,
        shape=ADDRESS,
    )
    port: int = setting(
        7080, "Port of the listener for other nodes; 0 takes any free one.", owner=True, minimum=0, maximum=65535
    )
