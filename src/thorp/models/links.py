"""How a file gets a second name without a second copy, as far as its disk can do that."""

import ctypes
import errno
import fcntl
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

FICLONE: Final = 0x40049409  # Linux: share the bytes of one file with another, until one of them changes
CANNOT: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EMLINK}
)
COPY_STEP: Final = 8 * 1024 * 1024


class How(StrEnum):
    CLONED = "cloned"  # a reflink: two files, one set of bytes
    LINKED = "linked"  # a hard link: one file, two names
    COPIED = "copied"


class Links(Protocol):
    """What a file system can do beyond files and folders. Each method answers whether it could."""

    def symlink(self, target: str, link: Path) -> bool: ...

    def hard_link(self, old: Path, new: Path) -> bool: ...

    def clone(self, old: Path, new: Path) -> bool: ...


class DiskLinks:
    def symlink(self, target: str, link: Path) -> bool:
        try:
            link.symlink_to(target)
        except OSError as error:
            if error.errno in CANNOT:
                return False
            raise
        return True

    def hard_link(self, old: Path, new: Path) -> bool:
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError as error:
            if error.errno in CANNOT:
                return False
            raise
        return True

    def clone(self, old: Path, new: Path) -> bool:
        source = os.open(old, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.ioctl(target, FICLONE, ctypes.c_int(source).value)
            except OSError as error:
                new.unlink()
                if error.errno in CANNOT:
                    return False
                raise
            finally:
                os.close(target)
        finally:
            os.close(source)
        return True


DISK_LINKS: Final = DiskLinks()


def second_name(old: Path, new: Path, links: Links, *, copies: bool) -> How | None:
    """Make `new` out of `old` as cheaply as the disk can. None: only a copy could, and `copies` does not want one."""
    if links.clone(old, new):
        return How.CLONED
    if links.hard_link(old, new):
        return How.LINKED
    if not copies:
        return None
    copy_whole(old, new)
    return How.COPIED


def copy_whole(old: Path, new: Path) -> None:
    """A copy that is on disk when this returns, or is not there at all."""
    target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with old.open("rb") as source, os.fdopen(target, "wb", closefd=False) as out:
            while data := source.read(COPY_STEP):
                out.write(data)
            out.flush()
            os.fsync(target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    finally:
        os.close(target)
