"""A folder as a hub: `DIR/org/repo/…` are its files, and `hub.json` beside them says the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from thorp.base.errors import UsageError
from thorp.testing.hub.content import LFS_ABOVE
from thorp.testing.hub.fake import FakeHub
from thorp.wire.model import Message, misfits

ABOUT: Final = "hub.json"


class Told(Message):
    """What `hub.json` may say; see `About`."""

    license: str | None = None
    gated: bool | str = False
    private: bool = False
    downloads: int = 0
    likes: int = 0
    tags: tuple[str, ...] = ()
    parameters: int | None = None
    base_model: str | None = None
    architecture: str = "llama"
    context_length: int = 4096
    lfs_above: int = LFS_ABOVE
    tokens: tuple[str, ...] = ()  # which open it, where it is gated or private


def fill(hub: FakeHub, folder: Path) -> list[str]:
    """Put every repository of a folder on the hub; answers with their names."""
    return [_add(hub, folder, path) for path in _repositories(folder)]


def _repositories(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UsageError(f"`{folder}` is no folder. Give one that holds org/repo/files.")
    return (path for path in sorted(folder.glob("*/*")) if path.is_dir() and not path.parent.name.startswith("."))


def _add(hub: FakeHub, folder: Path, path: Path) -> str:
    name = path.relative_to(folder).as_posix()
    files: dict[str, Path] = {
        one.relative_to(path).as_posix(): one for one in sorted(path.rglob("*")) if one.is_file() and one.name != ABOUT
    }
    told = _read(path / ABOUT)
    for token in told.tokens:
        hub.tokens.setdefault(token, set()).add(name)
    hub.add(name, dict(files), lfs_above=told.lfs_above, **told.model_dump(exclude={"tokens", "lfs_above"}))
    return name


def _read(path: Path) -> Told:
    if not path.exists():
        return Told()
    try:
        return Told.model_validate_json(path.read_bytes())
    except ValidationError as error:
        field, why = misfits(error)[0]
        raise UsageError(f"`{path}`: `{field}` {why}.") from error
