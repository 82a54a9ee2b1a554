"""Who uses an artifact now, whichever process that is: the kernel's lock on a file beside its receipt.

It dies with its process. On file systems that know no locks everybody gets in; nothing is ever waited for there.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, NotFoundError
from thorp.base.files import explaining

LOCK: Final = "lock"
NO_LOCKS_HERE: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})  # EBADF: folders on NFS
BUSY: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
NEVER: Final = (0, 0)


class InUseError(ConflictError):
    """Something uses a model, so it cannot be taken away; or it is being taken away, so it cannot be used."""

    code = "models.in_use"


class GoneError(NotFoundError):
    """A model that was removed a moment ago."""

    code = "models.gone"


@contextmanager
def using(receipt: Path, *, touching: bool = True) -> Generator[None]:
    """Keep an artifact from being removed. `touching` counts as a use of it; looking after it does not."""
    handle = _locked(receipt, fcntl.LOCK_SH)
    if handle is None:
        raise InUseError(
            f"The model of `{receipt}` is being removed right now. Pull it again when you still want it.",
            receipt=str(receipt),
        )
    try:
        if not receipt.exists():
            raise GoneError(f"The model of `{receipt}` was removed. `thorp pull` gets it again.", receipt=str(receipt))
        if touching:
            os.utime(handle)
        yield
    finally:
        os.close(handle)


@contextmanager
def sole(receipt: Path, title: str) -> Generator[None]:
    """Be the only one who uses an artifact, as for removing it; refused while anybody else does."""
    handle = _locked(receipt, fcntl.LOCK_EX)
    if handle is None:
        raise InUseError(
            f"`{title}` is in use: a slot has it loaded, or it is being checked or exported. "
            "Stop what uses it, then try again.",
            title=title,
        )
    try:
        yield
    finally:
        os.close(handle)


def last_used(receipt: Path) -> float | None:
    """When an artifact was used last, in seconds since 1970; None: never, as far as is known."""
    try:
        found = receipt.with_name(LOCK).lstat()
    except OSError:
        return None
    return found.st_mtime if stat.S_ISREG(found.st_mode) and found.st_mtime > 0 else None


def is_used(receipt: Path) -> bool:
    """Whether anybody uses an artifact at this moment. Looks only, and leaves nothing behind."""
    return is_locked(receipt.with_name(LOCK))


def is_locked(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


@contextmanager
def filing(folder: Path) -> Generator[None]:
    """Be the only one who files bytes in a repository's folder, or clears them away; for moments, so others wait.

    Who finds a blob there and relies on it holds this until a receipt names it; so a removal of what shares it is
    either over before, or sees that receipt.
    """
    is_new = not folder.exists()
    handle = _folder_locked(folder)
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # something was filed there, or it went already
                folder.rmdir()
        os.close(handle)


def take(handle: int, kind: int) -> bool:
    """Take the kernel's lock; False: somebody else has it."""
    try:
        fcntl.flock(handle, kind)
    except OSError as error:
        if error.errno in BUSY:
            return False
        if error.errno not in NO_LOCKS_HERE:
            raise
    return True


def still_there(handle: int, path: Path) -> bool:
    """Whether an open file still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _locked(receipt: Path, kind: int) -> int | None:
    path = receipt.with_name(LOCK)
    while True:
        handle = _opened(path, receipt)
        try:
            if not take(handle, kind | fcntl.LOCK_NB):
                os.close(handle)
                return None
            if still_there(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # it was removed between our two steps


def _opened(path: Path, receipt: Path) -> int:
    how = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    if not path.parent.is_dir():
        raise GoneError(f"There is no model at `{receipt}` any more. `thorp pull` gets it again.", receipt=str(receipt))
    with explaining("lock", path):
        with suppress(FileExistsError):
            handle = os.open(path, how | os.O_CREAT | os.O_EXCL, 0o600)
            os.utime(handle, NEVER)  # being looked at is no use
            return handle
        return os.open(path, how | os.O_CREAT, 0o600)


def _folder_locked(folder: Path) -> int:
    while True:
        with explaining("lock", folder):
            folder.mkdir(0o755, parents=True, exist_ok=True)
            try:
                handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # cleared away between our two steps
                continue
            take(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), folder.stat()):
                    return handle
            os.close(handle)
