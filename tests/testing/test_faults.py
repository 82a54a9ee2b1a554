"""The fault layer bites: what it claims to lose is lost, and careless code does not survive it."""

import errno
from pathlib import Path

import pytest

from thorp.base.files import FilePort, write_all
from thorp.testing.faults import Fault, FaultKind, FaultyFiles, PowerCutError, Survivors, every_fault
from thorp.testing.file_conformance import put

A = Path("/a")
B = Path("/b")


def settled(files: FaultyFiles, path: Path = A, data: bytes = b"old") -> FaultyFiles:
    put(files, path, data)
    files.sync_folder(path.parent)
    return files


def test_unsynced_bytes_are_lost_in_a_crash() -> None:
    files = FaultyFiles()
    handle = files.create(A, 0o600)
    files.sync_folder(Path("/"))
    files.write(handle, memoryview(b"never synced"))
    files.crash()
    assert files.read(A, 100) == b""


def test_unsynced_names_are_lost_in_a_crash() -> None:
    files = FaultyFiles()
    put(files, A, b"synced, but nameless")
    files.crash()
    assert files.facts(A) is None


def test_an_unsynced_removal_comes_back() -> None:
    files = settled(FaultyFiles())
    files.unlink(A)
    files.crash()
    assert files.read(A, 100) == b"old"


def test_what_is_synced_stays() -> None:
    files = settled(FaultyFiles())
    files.crash()
    assert files.read(A, 100) == b"old"


def test_a_file_is_lost_with_its_unsynced_folder() -> None:
    files = FaultyFiles()
    files.make_folder(Path("/inner"), 0o700)
    settled(files, Path("/inner/a"))
    files.crash()
    assert files.list_folder(Path("/")) == ()


@pytest.mark.parametrize(
    ("survivors", "content"),
    [(Survivors.NAMES, b""), (Survivors.HALF, b"1234"), (Survivors.EVERYTHING, b"12345678")],
)
def test_the_disk_may_have_kept_some_of_the_unsynced(survivors: Survivors, content: bytes) -> None:
    files = FaultyFiles()
    files.write(files.create(A, 0o600), memoryview(b"12345678"))
    files.crash(survivors)
    assert files.read(A, 100) == content


@pytest.mark.parametrize(("kind", "number"), [(FaultKind.NO_SPACE, errno.ENOSPC), (FaultKind.DISK_ERROR, errno.EIO)])
def test_the_chosen_operation_fails_once(kind: FaultKind, number: int) -> None:
    files = FaultyFiles(Fault(kind, 2))
    files.arm()
    handle = files.create(A, 0o600)
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        files.write(handle, memoryview(b"x"))
    assert caught.value.errno == number
    assert files.write(handle, memoryview(b"x")) == 1


def test_a_lasting_fault_stays() -> None:
    files = FaultyFiles(Fault(FaultKind.DISK_ERROR, 1, lasting=True))
    files.arm()
    for _ in range(3):
        with pytest.raises(OSError, match="Input/output"):
            files.create(A, 0o600)


def test_a_short_write_takes_half() -> None:
    files = FaultyFiles(Fault(FaultKind.SHORT_WRITE, 1))
    files.arm()
    handle = files.create(A, 0o600)
    assert files.write(handle, memoryview(b"1234")) == 2
    assert files.read(A, 100) == b"12"


def test_a_torn_rename_leaves_both_names_and_an_error() -> None:
    files = FaultyFiles(Fault(FaultKind.TORN_RENAME, 1))
    put(files, A, b"new")
    files.arm()
    with pytest.raises(OSError, match="Input/output"):
        files.rename(A, B)
    assert files.list_folder(Path("/")) == ("a", "b")


def test_a_lost_fsync_says_yes_and_keeps_nothing() -> None:
    files = FaultyFiles(Fault(FaultKind.LOST_SYNC, 1, lasting=True))
    files.arm()
    settled(files)
    files.crash()
    assert files.facts(A) is None


def test_after_a_power_cut_nothing_answers_until_the_restart() -> None:
    files = FaultyFiles(Fault(FaultKind.POWER_CUT, 1, lasting=True))
    files.arm()
    with pytest.raises(PowerCutError):
        files.create(A, 0o600)
    with pytest.raises(PowerCutError):
        files.facts(A)
    files.crash(Survivors.EVERYTHING)
    assert files.read(A, 100) == b""


def test_every_fault_walks_through_all_operations_and_ends() -> None:
    fired: list[int] = []
    for files in every_fault([FaultKind.DISK_ERROR]):
        assert files.fault
        files.arm()
        for name in "abc":
            try:
                files.make_folder(Path("/") / name, 0o700)
            except OSError:
                fired.append(files.fault.number)
                break
    assert fired == [1, 2, 3, 1, 2, 3]  # once for the fault that passes, once for the one that lasts


def test_a_trial_that_never_arms_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="arm"):
        list(every_fault([FaultKind.NO_SPACE]))


def careless_write(files: FilePort, path: Path, data: bytes) -> None:
    """What many programs do: a temporary name and a rename, without a sync."""
    handle = files.create(B, 0o600)
    write_all(files, handle, data)
    files.close(handle)
    files.rename(B, path)


@pytest.mark.parametrize("survivors", [Survivors.NAMES, Survivors.HALF])
def test_a_write_without_sync_is_caught_torn(survivors: Survivors) -> None:
    files = settled(FaultyFiles())
    careless_write(files, A, b"new content")
    files.crash(survivors)
    assert files.read(A, 100) not in {b"old", b"new content"}
