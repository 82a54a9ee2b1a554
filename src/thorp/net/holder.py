"""Who holds a TCP port of this machine, as far as an ordinary user can see, and which port is free instead."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_TRIES: Final = 100
_HIGHEST: Final = 65535


def holder_of(port: int) -> str | None:
    """`name (pid)` of the process that listens there; None when it is another user's, or the system does not tell."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for link in _PROC.glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile, or another user's
            if str(link.readlink()) in wanted:
                process = link.parents[1]
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                    yield inode


def free_port_above(host: str, port: int) -> int:
    """The next port that can be bound now. Somebody may take it before the reader does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port + 2, min(port + _TRIES, _HIGHEST)):  # the next one is the exposed listener's
        with suppress(OSError), socket.create_server((host, candidate), family=family):
            return candidate
    return 0
