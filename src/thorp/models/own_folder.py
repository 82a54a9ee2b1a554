"""Looks at a folder of this machine before a model in it is published: what is published is what lies there itself.

An import passes links and devices over; here they refuse the whole, because what a link leads to was never meant to be
given away.
"""

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, NotFoundError
from thorp.base.files import explaining
from thorp.base.printable import printable
from thorp.models.adopt_sources import DEEPEST, MOST_FILES, WEIGHTS
from thorp.models.adopt_types import Artifact, Found, Skipped
from thorp.models.selection import is_plainly_of_a_model
from thorp.swarm.recipes import is_text

NOT_KNOWN: Final = "its name is hidden, or none that files of a model have; it may hold anything"


class NotOnlyFilesError(ConflictError):
    """A folder that holds links, devices or names that are none, and so is not published."""

    code = "models.not_only_files"


class NothingThereError(NotFoundError):
    """A path that leads to nothing."""

    code = "models.nothing_there"


def nothing_at(path: Path) -> NothingThereError:
    return NothingThereError(f"There is nothing at `{printable(str(path))}`. Check the path.", path=str(path))


def check_own(path: Path) -> Path:
    """The file or folder itself, when nothing in it leads anywhere else. Hidden folders are no part of it."""
    if not path.is_absolute():
        raise NothingThereError(f"`{printable(str(path))}` says not where it begins. Give the whole path.")
    with explaining("look at", path):
        place = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
        if not os.path.lexists(place):
            raise nothing_at(path)
        mode = place.lstat().st_mode
    if stat.S_ISDIR(mode):
        _check_folder(place)
    elif not stat.S_ISREG(mode):
        raise _refused(place, place)
    return place


def screened(found: Found) -> Found:
    """What is found, without files that nobody meant to publish: whatever else lies beside the weights of a model."""
    artifacts: list[Artifact] = []
    skipped = list(found.skipped)
    for one in found.artifacts:
        files = tuple(file for file in one.files if is_plainly_of_a_model(file.path))
        skipped += [Skipped(file.path, NOT_KNOWN) for file in one.files if file not in files]
        if any(file.path.lower().endswith(WEIGHTS) and file.path != one.projector for file in files):
            eyes = one.projector if any(file.path == one.projector for file in files) else None
            artifacts.append(replace(one, files=files, projector=eyes))
    return Found(tuple(artifacts), tuple(skipped))


def _check_folder(top: Path) -> None:
    waiting: list[tuple[Path, int]] = [(top, 0)]
    count = 0
    while waiting:
        folder, depth = waiting.pop()
        with explaining("list", folder), os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                if count > MOST_FILES or depth >= DEEPEST:
                    raise NotOnlyFilesError(
                        f"`{top}` has more than {MOST_FILES} files, or folders more than {DEEPEST} deep. Share the "
                        "folder of one model."
                    )
                inside = entry.is_dir(follow_symlinks=False)
                if not is_text(entry.name) or not (inside or entry.is_file(follow_symlinks=False)):
                    raise _refused(top, Path(entry.path))
                if inside and not entry.name.startswith("."):
                    waiting.append((Path(entry.path), depth + 1))


def _refused(top: Path, at: Path) -> NotOnlyFilesError:
    shown = printable(repr(str(at.relative_to(top) if at != top else at))[1:-1][:200])
    return NotOnlyFilesError(
        f"`{shown}` is a link, a device, or has a name that is no text. Only files that lie there themselves are "
        "published; put the file itself there, or share another folder.",
        path=str(top),
    )
