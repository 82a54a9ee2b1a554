"""What every FilePort promises, checked on any driver: `for check in EVERY_CHECK: check(files, folder)`.

`folder` is empty, exists, and belongs to the check alone.
"""

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from thorp.base.files import FileFacts, FileKind, FilePort


class ConformanceError(AssertionError):
    """A driver breaks a promise of its port."""


def expect(condition: object, promise: str) -> None:
    if not condition:
        raise ConformanceError(promise)


@contextmanager
def refused(promise: str, *numbers: int) -> Generator[None]:
    """The block must fail with one of these numbers."""
    try:
        yield
    except OSError as error:
        expect(error.errno in numbers, f"{promise}: failed with {error!r} instead")
    else:
        raise ConformanceError(promise)


def put(files: FilePort, path: Path, data: bytes) -> None:
    handle = files.create(path, 0o600)
    expect(files.write(handle, memoryview(data)) == len(data), "a small write is taken whole on a sound disk")
    files.sync(handle)
    files.close(handle)


def what_is_written_is_read_back(files: FilePort, folder: Path) -> None:
    put(files, folder / "a", b"one two")
    files.sync_folder(folder)
    expect(files.read(folder / "a", 100) == b"one two", "read returns what was written")
    expect(files.read(folder / "a", 3) == b"one", "read stops at its limit")


def create_never_opens_what_exists(files: FilePort, folder: Path) -> None:
    put(files, folder / "a", b"first")
    with refused("create refuses a taken name", errno.EEXIST):
        files.create(folder / "a", 0o600)
    expect(files.read(folder / "a", 100) == b"first", "a refused create changes nothing")
    with refused("create needs the folder", errno.ENOENT):
        files.create(folder / "missing" / "a", 0o600)


def rename_replaces(files: FilePort, folder: Path) -> None:
    put(files, folder / "old", b"old")
    put(files, folder / "new", b"new")
    files.rename(folder / "new", folder / "old")
    expect(files.list_folder(folder) == ("old",), "rename removes the first name")
    expect(files.read(folder / "old", 100) == b"new", "rename replaces")
    with refused("rename needs a file", errno.ENOENT):
        files.rename(folder / "new", folder / "old")
    files.make_folder(folder / "inner", 0o700)
    with refused("rename does not replace a folder by a file", errno.EISDIR):
        files.rename(folder / "old", folder / "inner")


def link_adds_a_name_and_replaces_nothing(files: FilePort, folder: Path) -> None:
    put(files, folder / "a", b"a")
    put(files, folder / "b", b"b")
    with refused("link refuses a taken name", errno.EEXIST):
        files.link(folder / "a", folder / "b")
    files.link(folder / "a", folder / "c")
    files.unlink(folder / "a")
    expect(files.read(folder / "c", 100) == b"a", "a second name outlives the first")


def unlink_removes_one_name(files: FilePort, folder: Path) -> None:
    put(files, folder / "a", b"a")
    files.unlink(folder / "a")
    expect(files.facts(folder / "a") is None, "an unlinked name is gone")
    with refused("unlink needs a file", errno.ENOENT):
        files.unlink(folder / "a")
    with refused("read needs a file", errno.ENOENT):
        files.read(folder / "a", 1)


def facts_tell_kind_size_and_mode(files: FilePort, folder: Path) -> None:
    put(files, folder / "a", b"12345")
    files.make_folder(folder / "inner", 0o700)
    expect(files.facts(folder / "a") == FileFacts(FileKind.FILE, 5, 0o600, mine=True), "the facts of a file")
    inner = files.facts(folder / "inner")
    expect(inner and (inner.kind, inner.mode, inner.mine) == (FileKind.FOLDER, 0o700, True), "the facts of a folder")
    expect(files.facts(folder / "missing") is None, "nothing has no facts")
    expect(files.facts(folder / "missing" / "deeper") is None, "nothing below nothing has no facts")


def folders_list_their_names_in_order(files: FilePort, folder: Path) -> None:
    expect(files.list_folder(folder) == (), "an empty folder lists nothing")
    put(files, folder / "b", b"")
    files.make_folder(folder / "a", 0o700)
    put(files, folder / "a" / "deeper", b"")
    expect(files.list_folder(folder) == ("a", "b"), "names of this folder only, sorted")
    with refused("a file is no folder to list", errno.ENOTDIR):
        files.list_folder(folder / "b")
    with refused("make_folder refuses a taken name", errno.EEXIST):
        files.make_folder(folder / "a", 0o700)
    with refused("a folder cannot be read as a file", errno.EISDIR):
        files.read(folder / "a", 1)


EVERY_CHECK: Final[tuple[Callable[[FilePort, Path], None], ...]] = (
    what_is_written_is_read_back,
    create_never_opens_what_exists,
    rename_replaces,
    link_adds_a_name_and_replaces_nothing,
    unlink_removes_one_name,
    facts_tell_kind_size_and_mode,
    folders_list_their_names_in_order,
)
