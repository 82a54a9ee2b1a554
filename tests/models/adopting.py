"""Taking models into a library, as a command would, with what tests leave open filled in."""

import threading
from collections.abc import Callable
from pathlib import Path

from thorp.models.adopt import adopt
from thorp.models.adopt_types import Adopted
from thorp.models.library import Library
from thorp.models.stores import Stores
from thorp.testing.clock import FakeClock, FakeRandomness


def take(
    library: Library,
    source: Path,
    *,
    name: str | None = None,
    licence: str | None = None,
    copies: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    stop: threading.Event | None = None,
) -> Adopted:
    return adopt(
        library,
        Stores(library.layout.stores),
        FakeClock(),
        FakeRandomness(),
        source,
        name=name,
        license=licence,
        copies=copies,
        progress=progress,
        stop=stop or threading.Event(),
    )
