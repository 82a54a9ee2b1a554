"""Opening a file that a stranger wrote: mapped for reading, never waiting for a pipe, never a folder or a device."""

import mmap
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from thorp.base.files import explaining
from thorp.formats.errors import UnknownFormatError


@contextmanager
def mapped(path: Path) -> Generator[mmap.mmap]:
    """The bytes of a file. What the system refuses is told in the words of `thorp.base.files`."""
    with explaining("read", path):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise UnknownFormatError(path.name, "is no file but a folder, a pipe or a device")
            if facts.st_size == 0:
                raise UnknownFormatError(path.name, "is empty")
            data = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)
    with data:
        yield data
