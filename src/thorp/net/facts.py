"""What a listener knows about itself and about who connected. It travels in the ASGI scope; `access` judges by it."""

from dataclasses import dataclass
from typing import Final, Literal

LISTENER: Final = "thorp.listener"
PEER: Final = "thorp.peer"


@dataclass(frozen=True, slots=True)
class ListenerFacts:
    kind: Literal["local", "socket", "exposed", "mesh", "tracker"]
    tls: bool = False
    bound: tuple[tuple[str, int], ...] = ()  # addresses and ports; empty for a Unix socket


@dataclass(frozen=True, slots=True)
class PeerFacts:
    same_user: bool | None  # None: not known, which is as good as no
    at_home: bool = False  # on this machine, and our own user as far as the system can tell users apart


UNKNOWN_PEER: Final = PeerFacts(same_user=None)
