import os
from pathlib import Path

import pytest

from thorp.base.files import FileMissingError
from thorp.formats.errors import UnknownFormatError
from thorp.formats.opened import mapped


def test_the_bytes_of_a_file_are_there(tmp_path: Path) -> None:
    (tmp_path / "some").write_bytes(b"bytes")

    with mapped(tmp_path / "some") as data:
        assert data[:] == b"bytes"

    assert data.closed


def test_a_link_is_followed_as_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"bytes")
    (tmp_path / "model.gguf").symlink_to("blob")

    with mapped(tmp_path / "model.gguf") as data:
        assert len(data) == 5


def test_a_missing_file_is_told_in_the_words_of_the_house(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="absent"), mapped(tmp_path / "absent"):
        pass


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.gguf").touch()

    with pytest.raises(UnknownFormatError, match=r"`none\.gguf` is empty"), mapped(tmp_path / "none.gguf"):
        pass


def test_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    for path in (tmp_path, tmp_path / "pipe.gguf"):
        with pytest.raises(UnknownFormatError, match="is no file"), mapped(path):
            pass
