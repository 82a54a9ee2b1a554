"""What is published lies there itself: links, devices and strange names refuse the whole."""

import os
import socket
from pathlib import Path

import pytest

from thorp.models.own_folder import NothingThereError, NotOnlyFilesError, check_own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m/deep").mkdir(parents=True)
    (tmp_path / "m/deep/a.gguf").write_bytes(b"GGUF")
    (tmp_path / "m/.git").mkdir()
    return tmp_path / "m"


def test_files_and_folders_are_fine(folder: Path) -> None:
    assert check_own(folder) == folder
    assert check_own(folder / "deep/a.gguf") == folder / "deep/a.gguf"


def test_a_link_above_is_the_business_of_who_typed_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(folder)

    assert check_own(tmp_path / "short/deep") == folder / "deep"


def test_D51_the_place_itself_may_be_no_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(folder)

    with pytest.raises(NotOnlyFilesError):
        check_own(tmp_path / "short")


@pytest.mark.parametrize("target", ["a.gguf", "/etc/passwd", "nowhere", ".."])
def test_D51_a_link_inside_refuses_the_whole(folder: Path, target: str) -> None:
    (folder / "deep/b.json").symlink_to(target)

    with pytest.raises(NotOnlyFilesError, match=r"deep/b\.json"):
        check_own(folder)


def test_D51_pipes_and_sockets_refuse_the_whole(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "b.gguf")
    with pytest.raises(NotOnlyFilesError):
        check_own(folder)
    with pytest.raises(NotOnlyFilesError):
        check_own(folder / "b.gguf")
    (folder / "b.gguf").unlink()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "s"))
        with pytest.raises(NotOnlyFilesError):
            check_own(folder)


def test_D51_a_device_is_refused() -> None:
    with pytest.raises(NotOnlyFilesError):
        check_own(Path("/dev/zero"))


def test_D51_a_name_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.gguf")).write_bytes(b"x")

    with pytest.raises(NotOnlyFilesError):
        check_own(folder)


def test_D51_a_folder_without_end_is_refused(folder: Path) -> None:
    deep = folder.joinpath(*["x"] * 9)
    deep.mkdir(parents=True)
    (deep / "a").touch()

    with pytest.raises(NotOnlyFilesError, match="deep"):
        check_own(folder)


@pytest.mark.parametrize("path", ["nowhere", "m/nowhere/x"])
def test_nothing_there_is_told(folder: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(NothingThereError):
        check_own(tmp_path / path)
    with pytest.raises(NothingThereError):
        check_own(Path(path))
