"""Which address other devices of the house reach this machine at."""

import ipaddress
import socket
from contextlib import closing
from typing import Final

NOBODY: Final = ("192.0.2.1", 9)  # reserved for documentation; connecting a datagram socket sends nothing


def own_address() -> str | None:
    """The address the system would send from; None when it has no route at all."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
        try:
            asking.connect(NOBODY)
            return str(asking.getsockname()[0])
        except OSError:
            return None


def is_any(host: str) -> bool:
    """Whether an address stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
