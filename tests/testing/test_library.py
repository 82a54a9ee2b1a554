"""The builder of libraries makes what a pull would leave."""

import os
from pathlib import Path

import pytest

from thorp.models.links import DISK_LINKS, Links
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, SomeLinks, a_library, an_artifact, git_name

FILES = {"m.gguf": b"weights", "config.json": b"{}"}


@pytest.mark.parametrize("links", [DISK_LINKS, NO_SYMLINKS, NO_LINKS])
def test_an_artifact_is_complete_and_found_again(tmp_path: Path, links: Links) -> None:
    made = an_artifact(a_library(tmp_path, links), files=FILES, torrents=True)

    library = a_library(tmp_path, links)

    assert [one.receipt for one in library.kept() if one.complete] == [made]
    assert all(library.pieces(made, one.sha256) for one in made.files)
    assert {one.name for one in library.layout.torrents.iterdir()} == {f"{one.infohash}.torrent" for one in made.files}


def test_small_files_are_named_as_git_names_them(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    made = an_artifact(library, files=FILES)

    names = {one.name for one in library.layout.blobs("org/repo").iterdir()}

    assert names == {made.files[0].sha256, git_name(b"{}")}
    assert git_name(b"{}") == "9e26dfeeb6e641a33dae4961196235bdb965b21b"


def test_a_file_system_does_only_what_it_is_told_it_can(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x")

    assert SomeLinks(symlinks=True).symlink("old", tmp_path / "soft")
    assert SomeLinks(hard_links=True).hard_link(tmp_path / "old", tmp_path / "hard")
    assert not NO_LINKS.symlink("old", tmp_path / "a")
    assert not NO_LINKS.hard_link(tmp_path / "old", tmp_path / "a")
    assert not NO_LINKS.clone(tmp_path / "old", tmp_path / "a")
    assert {one.name: os.path.lexists(one) for one in tmp_path.iterdir()} == {"old": True, "soft": True, "hard": True}
