"""Which models folders this home has used. An unmounted disk leaves an empty folder behind; it is not a new one."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from thorp.base.clock import Randomness
from thorp.base.errors import TryAgainError
from thorp.base.files import DISK, explaining, write_atomically
from thorp.models.layout import MARKER


class StoreAwayError(TryAgainError):
    """The models folder is not there now: its disk is not mounted, or it was moved."""

    code = "models.store_away"


class Stores:
    def __init__(self, known: Path) -> None:
        self._known = known

    def away(self, folder: Path) -> str:
        """Why a models folder that was used before cannot be used now; empty when it can, or is a new one."""
        mark, found = self._marks().get(str(folder)), _mark_in(folder)
        if mark is None or found == mark or (found is None and any(folder.glob("models--*"))):
            return ""  # new, or ours; a mark alone may be lost, an unmounted disk loses everything
        return f"the models folder `{folder}` is not there now; is its disk mounted?"

    def open(self, folder: Path, randomness: Randomness) -> None:
        """Return when the folder can be written to: marked by us, before or now."""
        if why := self.away(folder):
            raise StoreAwayError(
                f"{why[0].upper()}{why[1:]} Nothing was fetched. Mount it, or choose another folder: "
                "`thorp config set models.dir DIR`.",
                folder=str(folder),
            )
        with explaining("use", folder):
            (folder / MARKER).parent.mkdir(0o755, parents=True, exist_ok=True)
            with _alone(folder):
                if _mark_in(folder) is None:
                    write_atomically(DISK, folder / MARKER, randomness.bytes(16).hex().encode(), 0o644)
            mark = _mark_in(folder) or ""
        marks = self._marks()
        if marks.get(str(folder)) != mark:
            write_atomically(DISK, self._known, json.dumps(marks | {str(folder): mark}, indent=2).encode())

    def _marks(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            found: object = json.loads(self._known.read_bytes())
            if isinstance(found, dict):
                return {str(name): str(mark) for name, mark in cast("dict[object, object]", found).items()}
        return {}


def _mark_in(folder: Path) -> str | None:
    try:
        return (folder / MARKER).read_text("ascii", "replace")[:64].strip() or None
    except OSError:
        return None


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Two processes that begin with a folder at once end with one mark."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
