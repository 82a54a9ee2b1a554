"""A second name costs as little as the disk can manage, and a copy is whole or not there."""

import errno
from pathlib import Path

import pytest

from thorp.models.links import DISK_LINKS, How, copy_whole, second_name
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, SomeLinks


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    path.write_bytes(b"weights" * 100_000)
    return path


def test_a_hard_link_is_taken_where_nothing_can_be_cloned(old: Path) -> None:
    new = old.with_name("new")

    assert second_name(old, new, NO_SYMLINKS, copies=False) is How.LINKED
    assert new.samefile(old)


def test_C38_without_any_links_there_is_a_copy_only_if_one_is_wanted(old: Path) -> None:
    new = old.with_name("new")

    assert second_name(old, new, NO_LINKS, copies=False) is None
    assert not new.exists()
    assert second_name(old, new, NO_LINKS, copies=True) is How.COPIED
    assert new.read_bytes() == old.read_bytes()
    assert not new.samefile(old)


def test_on_this_disk_a_clone_is_a_file_of_its_own_or_is_not_there(old: Path) -> None:
    new = old.with_name("new")

    if DISK_LINKS.clone(old, new):
        assert second_name(old, old.with_name("other"), DISK_LINKS, copies=False) is How.CLONED
        assert new.read_bytes() == old.read_bytes()
        assert not new.samefile(old)
    else:
        assert not new.exists()


def test_a_link_says_what_it_was_told(old: Path) -> None:
    assert DISK_LINKS.symlink("somewhere/else", old.with_name("soft"))
    assert str(old.with_name("soft").readlink()) == "somewhere/else"


@pytest.mark.parametrize("work", [DISK_LINKS.hard_link, DISK_LINKS.clone, copy_whole])
def test_nothing_that_stands_there_is_replaced(old: Path, work) -> None:
    new = old.with_name("new")
    new.write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        work(old, new)

    assert new.read_bytes() == b"mine"


@pytest.mark.parametrize("work", [DISK_LINKS.hard_link, DISK_LINKS.clone])
def test_what_is_missing_is_an_error_and_no_lack_of_links(old: Path, work) -> None:
    with pytest.raises(FileNotFoundError):
        work(old.with_name("none"), old.with_name("new"))


def test_C43_a_link_is_not_cloned_through(old: Path) -> None:
    old.with_name("soft").symlink_to(old)

    with pytest.raises(OSError, match="symbolic") as refused:
        DISK_LINKS.clone(old.with_name("soft"), old.with_name("new"))

    assert refused.value.errno == errno.ELOOP
    assert not old.with_name("new").exists()


def test_C37_a_copy_that_fails_leaves_nothing(old: Path) -> None:
    with pytest.raises(IsADirectoryError):
        copy_whole(old.parent, old.with_name("new"))

    assert not old.with_name("new").exists()


def test_an_error_that_is_no_lack_of_links_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DISK_LINKS.symlink("x", tmp_path / "none" / "soft")
    assert not SomeLinks(symlinks=False).symlink("x", tmp_path / "none" / "soft")
