"""The file port, and the one way to write a file that matters: whole and on disk, or not at all.

It never leaves a half-written file under a final name, and it never cleans up what it did not name itself.
"""

import errno
import os
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from thorp.base.errors import ConflictError, IntegrityError, NoSpaceError, NotAllowedError, NotFoundError, ThorpError

MOST_UNFINISHED: Final = 16  # beside one file; each is a death in the middle of a write
UNFINISHED: Final = re.compile(r"\..+\.\d{1,2}\.unfinished(-\w+)?", re.DOTALL)  # SQLite adds `-journal`


class DiskFullError(NoSpaceError):
    """The disk or the quota is full."""

    code = "files.no_space"


class FileMissingError(NotFoundError):
    """There is no such file or folder."""

    code = "files.missing"


class FileRefusedError(NotAllowedError):
    """The system does not let this user do that there."""

    code = "files.refused"


class FileTakenError(ConflictError):
    """Something stands there already."""

    code = "files.taken"


class FileTooLargeError(IntegrityError):
    """A file is larger than anything that belongs there."""

    code = "files.too_large"


class FileFaultError(IntegrityError):
    """The disk did not do what it was asked to."""

    code = "files.fault"
    status = 500


class FileKind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"  # a symbolic link, a device, a pipe, a socket


@dataclass(frozen=True, slots=True)
class FileFacts:
    kind: FileKind
    size: int
    mode: int  # permission bits only
    mine: bool  # owned by the user this process runs as


class FilePort(Protocol):
    """What Thorp asks of a file system. Every method fails with OSError, as the system itself does."""

    def create(self, path: Path, mode: int) -> int:
        """A handle to write to a file that was not there before."""
        ...

    def write(self, handle: int, data: memoryview) -> int:
        """How many of the bytes were taken; it may be fewer than all."""
        ...

    def sync(self, handle: int) -> None:
        """Return when the content is on disk. Its name is not, until `sync_folder`."""
        ...

    def close(self, handle: int) -> None: ...

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in this folder are on disk."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give the file its new name, replacing what had it."""
        ...

    def link(self, old: Path, new: Path) -> None:
        """Give the file a second name, refusing to replace anything."""
        ...

    def unlink(self, path: Path) -> None: ...

    def read(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes."""
        ...

    def make_folder(self, path: Path, mode: int) -> None: ...

    def list_folder(self, path: Path) -> tuple[str, ...]: ...

    def facts(self, path: Path) -> FileFacts | None:
        """What stands at `path` itself, links not followed; None when nothing does."""
        ...


class DiskFiles:
    """The real file system."""

    def create(self, path: Path, mode: int) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def write(self, handle: int, data: memoryview) -> int:
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        os.fsync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def sync_folder(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def link(self, old: Path, new: Path) -> None:
        new.hardlink_to(old)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def read(self, path: Path, limit: int) -> bytes:
        with path.open("rb") as file:
            return file.read(limit)

    def make_folder(self, path: Path, mode: int) -> None:
        path.mkdir(mode)

    def list_folder(self, path: Path) -> tuple[str, ...]:
        return tuple(sorted(entry.name for entry in path.iterdir()))

    def facts(self, path: Path) -> FileFacts | None:
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileFacts(
            kind=_kind(found.st_mode),
            size=found.st_size,
            mode=stat.S_IMODE(found.st_mode),
            mine=found.st_uid == os.geteuid(),
        )


DISK: Final = DiskFiles()


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.FILE
    return FileKind.FOLDER if stat.S_ISDIR(mode) else FileKind.OTHER


@dataclass(frozen=True, slots=True)
class Draft:
    """A new file beside the one it is going to be."""

    path: Path
    handle: int


def write_atomically(files: FilePort, path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data`. Returning means on disk; raising means the old content or, at worst, all of the new.

    A symbolic link at `path` is replaced, not followed.
    """
    with replacing(files, path, mode) as draft:
        write_all(files, draft.handle, data)


def write_new(files: FilePort, path: Path, data: bytes, mode: int = 0o600) -> None:
    """Like `write_atomically`, but whatever stands at `path` already wins, with FileTakenError."""
    with replacing(files, path, mode, only_new=True) as draft:
        write_all(files, draft.handle, data)


@contextmanager
def replacing(files: FilePort, path: Path, mode: int = 0o600, *, only_new: bool = False) -> Generator[Draft]:
    """A draft that becomes `path` when the block ends well and is removed when it does not."""
    with explaining("write", path):
        draft = _begin(files, path, mode)
        try:
            try:
                yield draft
                files.sync(draft.handle)
            finally:
                files.close(draft.handle)
            if only_new:
                files.link(draft.path, path)
                files.unlink(draft.path)
            else:
                files.rename(draft.path, path)
        except BaseException:
            with suppress(OSError):
                files.unlink(draft.path)
            raise
        files.sync_folder(path.parent)


def write_all(files: FilePort, handle: int, data: bytes) -> None:
    """Write every byte, however few the system takes at a time."""
    rest = memoryview(data)
    while rest:
        taken = files.write(handle, rest)
        if taken <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[taken:]


def read_bounded(files: FilePort, path: Path, limit: int) -> bytes:
    """The whole file, refused when it is larger than `limit` bytes."""
    with explaining("read", path):
        data = files.read(path, limit + 1)
    if len(data) > limit:
        raise FileTooLargeError(
            f"`{path}` is larger than the {limit} bytes that belong there. Look at what wrote it, and move it aside.",
            path=str(path),
        )
    return data


def facts_of(files: FilePort, path: Path) -> FileFacts | None:
    """What stands at `path`, with trouble in our words."""
    with explaining("look at", path):
        return files.facts(path)


def find_unfinished(files: FilePort, folder: Path) -> tuple[Path, ...]:
    """Drafts in this folder whose writer died, or is still at work."""
    with explaining("list", folder):
        drafts = (folder / name for name in files.list_folder(folder) if UNFINISHED.fullmatch(name))
        return tuple(path for path in drafts if (facts := files.facts(path)) and facts.kind is FileKind.FILE)


def remove_unfinished(files: FilePort, folder: Path) -> tuple[Path, ...]:
    """Remove drafts left in this folder; for times when nobody writes there."""
    drafts = find_unfinished(files, folder)
    for draft in drafts:
        with explaining("remove", draft):
            files.unlink(draft)
    return drafts


def _begin(files: FilePort, path: Path, mode: int) -> Draft:
    # Counted names and O_EXCL, so that two writers never share a draft and the dead ones stay bounded.
    for number in range(MOST_UNFINISHED):
        candidate = path.with_name(f".{path.name}.{number}.unfinished")
        with suppress(FileExistsError):
            return Draft(candidate, files.create(candidate, mode))
    raise FileTakenError(
        f"There are {MOST_UNFINISHED} unfinished copies beside `{path}`. `thorp init --cleanup` removes them.",
        path=str(path),
    )


@contextmanager
def explaining(doing: str, path: Path) -> Generator[None]:
    """Turn the system's errors into ours, in words for the person at the terminal."""
    try:
        yield
    except OSError as error:
        raise file_error(error, doing, path) from error


def file_error(error: OSError, doing: str, path: Path) -> ThorpError:
    """The error of ours that says the same as the system's."""
    family, remedy = _ANSWERS.get(error.errno or 0, _FAULT)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return family(f"Cannot {doing} `{path}`: {reason}. {remedy}", path=str(path))


_Answer = tuple[type[ThorpError], str]
_FULL: Final[_Answer] = (DiskFullError, "Free some space there and try again; what was acknowledged before is safe.")
_MISSING: Final[_Answer] = (FileMissingError, "Check the path; `thorp init` makes the folders of a home.")
_REFUSED: Final[_Answer] = (FileRefusedError, "Check who owns it and its folder, and whether the disk is read-only.")
_TAKEN: Final[_Answer] = (FileTakenError, "Nothing was changed; move it aside if it should not be there.")
_FAULT: Final[_Answer] = (FileFaultError, "Try again; if it stays, check the disk's health and the system's log.")
_ANSWERS: Final[dict[int, _Answer]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _MISSING,
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EROFS: _REFUSED,
    errno.EEXIST: _TAKEN,
    errno.ENOTEMPTY: _TAKEN,
    errno.EISDIR: _TAKEN,
}
