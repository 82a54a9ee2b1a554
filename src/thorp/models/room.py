"""Whether a disk has room for what is about to be written to it. Looks only; nothing is reserved."""

import shutil
from pathlib import Path

from thorp.base.amounts import size
from thorp.base.errors import NoSpaceError
from thorp.base.files import explaining


class NoRoomError(NoSpaceError):
    """The disk has less room than a model needs."""

    code = "models.no_room"


def check_room(folder: Path, needed: int) -> None:
    """Return when `needed` bytes fit on the disk that `folder` lies on, or will lie on once it is made."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    with explaining("measure", there):
        free = shutil.disk_usage(there).free
    if needed > free:
        raise NoRoomError(
            f"The disk of `{folder}` has room for {size(free)} and {size(needed)} are needed: {size(needed - free)} "
            "are missing. Nothing was begun. Free some (`thorp models prune` finds some), or choose another disk.",
            needed=needed,
            free=free,
            missing=needed - free,
        )
