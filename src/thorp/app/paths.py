"""Where everything of one home lies, and the folders that only its owner may look into.

It decides and makes; it never moves, cleans or follows a folder of somebody else.
"""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from thorp.app.environment import Environment
from thorp.base.errors import NotAllowedError, UsageError
from thorp.base.files import DISK, FileKind, explaining

LONGEST_SOCKET: Final = 100  # bytes; the kernels' own limits are 104 and 108
PRIVATE: Final = 0o700
OTHERS_WRITE: Final = 0o022
OTHERS_READ: Final = 0o055


class HomeTooDeepError(UsageError):
    """No folder is short enough for a socket."""

    code = "paths.too_deep"


class ForeignFolderError(NotAllowedError):
    """A folder for secrets is in somebody else's hands."""

    code = "paths.foreign_folder"


@dataclass(frozen=True, slots=True)
class Paths:
    root: Path
    config_file: Path
    keys: Path
    data: Path
    run: Path
    lock: Path
    logs: Path

    @property
    def db(self) -> Path:
        return self.data / "thorp.db"

    @property
    def library(self) -> Path:
        return self.data / "library.db"

    @property
    def household(self) -> Path:
        return self.data / "household.json"

    @property
    def heard(self) -> Path:
        """The highest number of a packet that was taken from each node."""
        return self.data / "heard.json"

    @property
    def hub_token(self) -> Path:
        return self.keys / "hub.token"

    @property
    def socket(self) -> Path:
        return self.run / "api.sock"

    @property
    def owner_token(self) -> Path:
        return self.run / "owner.token"

    @property
    def pid(self) -> Path:
        return self.run / "pid"

    def named(self) -> dict[str, Path]:
        """Every place with its name, for people."""
        return {
            "home": self.root,
            "config": self.config_file,
            "keys": self.keys,
            "data": self.data,
            "database": self.db,
            "run": self.run,
            "socket": self.socket,
            "token": self.owner_token,
            "lock": self.lock,
            "logs": self.logs,
        }


def paths_of(environment: Environment) -> Paths:
    """The places of this home; nothing is made."""
    root = environment.home or platformdirs.user_data_path("thorp", appauthor=False)
    apart = environment.home is None
    config = platformdirs.user_config_path("thorp", appauthor=False) if apart else root
    run = root / "run"
    return Paths(
        root=root,
        config_file=config / "config.toml",
        keys=root / "keys",
        data=root / "data",
        run=_short_enough(run, environment.runtime_dir),
        lock=run / "lock",  # stays where the home is, so that one home has one lock whatever the session
        logs=platformdirs.user_log_path("thorp", appauthor=False) if apart else root / "logs",
    )


def _short_enough(run: Path, runtime_dir: Path | None) -> Path:
    if _fits(run):
        return run
    name = f"thorp-{hashlib.sha256(os.fsencode(run.parent)).hexdigest()[:16]}"
    for base in (runtime_dir, Path(tempfile.gettempdir())):
        if base is not None and _fits(base / name):
            return base / name
    raise HomeTooDeepError(
        f"`{run.parent}` is too long a path for a socket, and so is the temporary folder. "
        "Set THORP_HOME to a shorter one.",
        path=str(run.parent),
    )


def _fits(run: Path) -> bool:
    return len(os.fsencode(run / "api.sock")) <= LONGEST_SOCKET


def make_folders(paths: Paths) -> None:
    """Make every folder of the home. Does nothing where they stand; refused where others could exchange something."""
    for folder in (paths.config_file.parent, paths.root, paths.logs):
        with explaining("make", folder):
            folder.mkdir(PRIVATE, parents=True, exist_ok=True)
            check_private(folder.resolve())
            check_way(folder.resolve())
    for folder in (paths.keys, paths.data, paths.lock.parent, paths.run):
        make_private(folder)


def make_private(folder: Path) -> None:
    """A folder that only this user may look into, made or tightened; refused when others could have been there."""
    with explaining("make", folder):
        folder.parent.mkdir(PRIVATE, parents=True, exist_ok=True)
        folder.mkdir(PRIVATE, exist_ok=True)
        check_private(folder)
        if folder.stat().st_mode & OTHERS_READ:
            folder.chmod(PRIVATE)


def check_way(folder: Path) -> None:
    """Refuse a place that anybody could exchange as a whole, because a folder above it is everybody's."""
    for above in folder.parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ForeignFolderError(
                f"Everybody may rename what lies in `{above}`, and so exchange `{folder}`. "
                f"Set THORP_HOME elsewhere, or run `chmod o-w {above}`.",
                path=str(above),
            )


def check_private(folder: Path) -> None:
    """Refuse a folder in which somebody else could have put something."""
    facts = DISK.facts(folder)
    if facts is None:
        return
    if facts.kind is not FileKind.FOLDER or not facts.mine:
        raise ForeignFolderError(
            f"`{folder}` is not a folder of yours, and secrets would go there. "
            "Remove it, or set THORP_HOME to another place with a short path.",
            path=str(folder),
        )
    if facts.mode & OTHERS_WRITE:
        raise ForeignFolderError(
            f"Other users may write to `{folder}`. Look at what is in it, then run `chmod 700 {folder}`.",
            path=str(folder),
        )
