"""The steps of a pull by name. Between any two of them the machine may end; what then lies on the disk is legal."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class Stage(StrEnum):
    PLANNED = "planned"
    RECORDED = "recorded"
    STORE_OPEN = "store open"
    ROOM_CHECKED = "room checked"
    LOCKED = "locked"
    FIRST_BYTES = "first bytes"
    FETCHED = "fetched"
    HASHED = "hashed"
    SYNCED = "synced"
    KEPT = "kept"
    CLEARED = "cleared"
    HEADER_READ = "header read"
    ENTERED = "entered"
    POINTED = "pointed"
    SEALED = "sealed"
    RECEIPT_WRITTEN = "receipt written"
    DONE = "done"


Reached: TypeAlias = Callable[[Stage], None]


def unwatched(_stage: Stage) -> None:
    """Nobody wants to know."""
