"""Who holds a TCP port of this machine, as far as an ordinary user can see, and which port is free instead."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_TRIES: Final = 100
_HIGHEST: Final = 65535


def holder_of(port: int) -> str | None:
    """Who listens there, in words; None when it is another user's process, or the system does not tell."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for link in _PROC.glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile, or another user's
            if str(link.readlink()) in wanted:
                return f"{_called(link.parents[1])} (pid {link.parents[1].name})"
    return None


def _called(process: Path) -> str:
    if not is_thorp((process / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")):
        return (process / "comm").read_text(errors="replace").strip()
    return "this node itself" if process.name == str(os.getpid()) else "another Thorp node"


def is_thorp(argv: Sequence[str]) -> bool:
    """Whether this is the command line of Thorp: its script, by itself or given to an interpreter, or its module."""
    program, *words = (word.rpartition("/")[2] for word in argv)
    if program.startswith("python"):
        program = next((word for word in words if not word.startswith("-")), "")
    return program == "thorp"


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
