"""A file is old or new whatever fails and whenever the power goes."""

import errno
import os
from pathlib import Path

import pytest

from thorp.base.errors import NoSpaceError, ThorpError
from thorp.base.files import (
    DISK,
    MOST_UNFINISHED,
    DiskFullError,
    FileFaultError,
    FileKind,
    FileMissingError,
    FileRefusedError,
    FileTakenError,
    FileTooLargeError,
    file_error,
    find_unfinished,
    read_bounded,
    remove_unfinished,
    replacing,
    write_atomically,
    write_new,
)
from thorp.testing.faults import Fault, FaultKind, FaultyFiles, PowerCutError, Survivors, every_fault
from thorp.testing.file_conformance import put

FOLDER = Path("/home")
PATH = FOLDER / "config.toml"
OLD = b"the old content"
NEW = b"the new content, which is longer"

# A disk that lies about syncing keeps no promise by itself; it is modelled as one that at least keeps the order.
ORDERED = (Survivors.NOTHING, Survivors.EVERYTHING)


def home(files: FaultyFiles) -> FaultyFiles:
    files.make_folder(FOLDER, 0o700)
    files.sync_folder(Path("/"))
    return files


def acknowledged(files: FaultyFiles) -> bool:
    files.arm()
    try:
        write_atomically(files, PATH, NEW)
    except (ThorpError, PowerCutError):
        return False
    return True


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("survivors", Survivors)
def test_whatever_fails_the_file_is_old_or_new(kind: FaultKind, survivors: Survivors) -> None:
    if kind is FaultKind.LOST_SYNC and survivors not in ORDERED:
        survivors = Survivors.NOTHING
    for files in every_fault([kind]):
        write_atomically(home(files), PATH, OLD)
        promised = acknowledged(files) and kind is not FaultKind.LOST_SYNC
        files.crash(survivors)

        content = read_bounded(files, PATH, 1000)
        assert content in ({NEW} if promised else {OLD, NEW}), files.fault
        facts = files.facts(PATH)
        assert facts
        assert (facts.kind, facts.mode) == (FileKind.FILE, 0o600)
        assert len(find_unfinished(files, FOLDER)) <= 1
        remove_unfinished(files, FOLDER)
        assert files.list_folder(FOLDER) == (PATH.name,)


@pytest.mark.parametrize("kind", [FaultKind.NO_SPACE, FaultKind.DISK_ERROR, FaultKind.TORN_RENAME])
def test_while_the_node_goes_on_a_failed_write_leaves_no_draft(kind: FaultKind) -> None:
    for files in every_fault([kind]):
        write_atomically(home(files), PATH, OLD)
        done = acknowledged(files)
        assert not files._open  # every handle was closed
        struck, files.fault = files.fault, None
        assert read_bounded(files, PATH, 1000) in ({NEW} if done else {OLD, NEW})
        removal_failed_too = kind is FaultKind.DISK_ERROR and struck and struck.lasting
        assert len(find_unfinished(files, FOLDER)) <= (1 if removal_failed_too else 0)
        write_atomically(files, PATH, NEW)
        assert read_bounded(files, PATH, 1000) == NEW


def test_C37_a_full_disk_is_a_no_space_error_with_path_and_remedy() -> None:
    for number in range(1, 5):  # create, write, sync, rename
        files = home(FaultyFiles(Fault(FaultKind.NO_SPACE, number)))
        write_atomically(files, PATH, OLD)
        files.arm()
        with pytest.raises(NoSpaceError, match=f"{PATH}.*Free some space"):
            write_atomically(files, PATH, NEW)
        assert files.list_folder(FOLDER) == (PATH.name,)
        assert files.read(PATH, 1000) == OLD


def test_short_writes_are_finished() -> None:
    files = home(FaultyFiles(Fault(FaultKind.SHORT_WRITE, 1, lasting=True)))
    files.arm()
    write_atomically(files, PATH, NEW)
    assert files.read(PATH, 1000) == NEW


def test_a_disk_that_takes_nothing_does_not_hang_the_writer() -> None:
    class Full(FaultyFiles):
        def write(self, handle: int, data: memoryview) -> int:
            return 0 * (handle + len(data))

    with pytest.raises(FileFaultError):
        write_atomically(home(Full()), PATH, NEW)


def give_up_half_way(files: FaultyFiles) -> None:
    with replacing(files, PATH) as draft:
        files.write(draft.handle, memoryview(b"half"))
        raise ValueError("second thoughts")


def test_a_block_that_fails_leaves_the_old_file() -> None:
    files = home(FaultyFiles())
    write_atomically(files, PATH, OLD)
    with pytest.raises(ValueError, match="second thoughts"):
        give_up_half_way(files)
    assert files.list_folder(FOLDER) == (PATH.name,)
    assert files.read(PATH, 1000) == OLD


def test_two_writers_never_share_a_draft() -> None:
    files = home(FaultyFiles())
    with replacing(files, PATH) as one:
        write_atomically(files, PATH, OLD)
        files.write(one.handle, memoryview(NEW))
    assert files.read(PATH, 1000) == NEW


@pytest.mark.parametrize("survivors", Survivors)
def test_a_new_file_is_whole_or_not_there(survivors: Survivors) -> None:
    for files in every_fault([FaultKind.POWER_CUT, FaultKind.DISK_ERROR, FaultKind.NO_SPACE]):
        home(files).arm()
        promised = True
        try:
            write_new(files, PATH, NEW)
        except (ThorpError, PowerCutError):
            promised = False
        files.crash(survivors)
        remove_unfinished(files, FOLDER)
        names = files.list_folder(FOLDER)
        assert names == (PATH.name,) or (names == () and not promised)
        assert not names or files.read(PATH, 1000) == NEW


def test_write_new_replaces_nothing() -> None:
    files = home(FaultyFiles())
    write_new(files, PATH, OLD)
    with pytest.raises(FileTakenError):
        write_new(files, PATH, NEW)
    assert files.read(PATH, 1000) == OLD
    assert files.list_folder(FOLDER) == (PATH.name,)


def test_leftovers_are_bounded_and_the_error_says_how_to_remove_them() -> None:
    files = home(FaultyFiles())
    for number in range(MOST_UNFINISHED):
        put(files, FOLDER / f".{PATH.name}.{number}.unfinished", b"half")
    with pytest.raises(FileTakenError, match="thorp init --cleanup"):
        write_atomically(files, PATH, NEW)
    assert len(remove_unfinished(files, FOLDER)) == MOST_UNFINISHED
    write_atomically(files, PATH, NEW)


def test_cleaning_up_touches_only_what_thorp_named(tmp_path: Path) -> None:
    for name in (".config.toml.0.unfinished", "config.toml", ".unfinished", "a.0.unfinished", ".x.100.unfinished"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".folder.0.unfinished").mkdir()
    (tmp_path / ".link.0.unfinished").symlink_to(tmp_path / "config.toml")
    assert find_unfinished(DISK, tmp_path) == (tmp_path / ".config.toml.0.unfinished",)
    assert remove_unfinished(DISK, tmp_path) == (tmp_path / ".config.toml.0.unfinished",)
    assert len(list(tmp_path.iterdir())) == 6


def test_the_real_disk_gets_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_atomically(DISK, path, OLD)
    write_atomically(DISK, path, NEW)
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o7777 == 0o600
    assert DISK.list_folder(tmp_path) == ("secret",)


def test_links_and_devices_are_told_apart_from_files(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for path in (link, Path("/dev/null")):
        facts = DISK.facts(path)
        assert facts
        assert facts.kind is FileKind.OTHER


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * 11)
    assert read_bounded(DISK, path, 11) == b"x" * 11
    with pytest.raises(FileTooLargeError, match="larger than the 10 bytes"):
        read_bounded(DISK, path, 10)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="absent"):
        read_bounded(DISK, tmp_path / "absent", 10)
    with pytest.raises(FileMissingError):
        write_atomically(DISK, tmp_path / "absent" / "file", NEW)


@pytest.mark.parametrize(
    ("number", "family"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.ENOENT, FileMissingError),
        (errno.EROFS, FileRefusedError),
        (errno.EACCES, FileRefusedError),
        (errno.EEXIST, FileTakenError),
        (errno.EIO, FileFaultError),
        (errno.ENAMETOOLONG, FileFaultError),
    ],
)
def test_each_system_error_has_its_family(number: int, family: type[ThorpError]) -> None:
    error = file_error(OSError(number, "from the system"), "write", PATH)
    assert type(error) is family
    assert os.strerror(number) in error.message


def test_an_error_without_a_number_keeps_its_words() -> None:
    assert "odd thing" in file_error(OSError("odd thing"), "read", PATH).message
