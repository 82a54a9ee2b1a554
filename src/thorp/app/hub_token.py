"""The owner's token for the hub, in a file of its own that only the owner can read."""

from pathlib import Path
from typing import Final

from thorp.app.paths import Paths, make_folders
from thorp.base.errors import UsageError
from thorp.base.files import DISK, explaining, read_bounded, write_atomically

LONGEST: Final = 1024


class BadTokenError(UsageError):
    """What was given as a token is none."""

    code = "models.bad_token"


def keep_token(paths: Paths, token: str) -> None:
    text = token.strip()
    if not _looks_right(text):
        raise BadTokenError("That is no token of the hub; one looks like `hf_…`, without spaces.")
    make_folders(paths)
    write_atomically(DISK, paths.hub_token, text.encode("ascii"))


def forget_token(paths: Paths) -> bool:
    """Whether there was one."""
    with explaining("remove", paths.hub_token):
        there = paths.hub_token.exists()
        paths.hub_token.unlink(missing_ok=True)
    return there


def kept_token(path: Path) -> str | None:
    if not path.exists():
        return None
    text = read_bounded(DISK, path, LONGEST).decode("utf-8", "replace").strip()
    if text and not _looks_right(text):
        raise BadTokenError(f"`{path}` holds no token of the hub. `thorp login hub` writes it anew.", path=str(path))
    return text or None


def _looks_right(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isascii() and text.isprintable() and " " not in text
