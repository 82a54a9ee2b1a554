"""A models folder that was used before is told from an empty one that stands in its place."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from thorp.base.clock import SystemRandomness
from thorp.models.layout import MARKER
from thorp.models.stores import StoreAwayError, Stores
from thorp.testing.clock import FakeRandomness


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path / "stores.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "models"


def test_a_new_folder_is_made_and_marked(stores: Stores, folder: Path) -> None:
    assert stores.away(folder) == ""
    stores.open(folder, FakeRandomness())

    assert len((folder / MARKER).read_text()) == 32
    assert stores.away(folder) == ""
    stores.open(folder, FakeRandomness(7))
    assert stores.away(folder) == ""


@pytest.mark.parametrize("stands_in", ["nothing", "an empty folder", "another store", "a mark that is empty"])
def test_C44_a_folder_that_is_unmounted_is_away_until_it_comes_back(
    stores: Stores, folder: Path, tmp_path: Path, stands_in: str
) -> None:
    stores.open(folder, FakeRandomness())
    folder.rename(tmp_path / "unmounted")
    if stands_in != "nothing":
        folder.mkdir()
        (folder / MARKER).parent.mkdir()
    if stands_in == "another store":
        (folder / MARKER).write_text("f" * 32)
    if stands_in == "a mark that is empty":
        (folder / MARKER).touch()

    assert "is its disk mounted?" in stores.away(folder)
    with pytest.raises(StoreAwayError, match="Mount it") as refused:
        stores.open(folder, FakeRandomness())
    assert (refused.value.exit_code, folder.exists()) == (75, stands_in != "nothing")

    shutil.rmtree(folder, ignore_errors=True)
    (tmp_path / "unmounted").rename(folder)
    assert stores.away(folder) == ""
    stores.open(folder, FakeRandomness())


def test_a_mark_that_somebody_cleared_away_is_no_unmounted_disk(stores: Stores, folder: Path) -> None:
    stores.open(folder, FakeRandomness())
    (folder / "models--org--repo").mkdir()
    shutil.rmtree(folder / ".locks")

    assert stores.away(folder) == ""
    stores.open(folder, FakeRandomness())
    assert (folder / MARKER).exists()


def test_a_folder_that_another_home_has_marked_keeps_its_mark(stores: Stores, folder: Path, tmp_path: Path) -> None:
    stores.open(folder, FakeRandomness(1))
    mark = (folder / MARKER).read_text()
    other = Stores(tmp_path / "other.json")

    other.open(folder, FakeRandomness(2))

    assert (folder / MARKER).read_text() == mark
    assert stores.away(folder) == other.away(folder) == ""


def test_a_mark_that_is_empty_in_a_folder_nobody_knows_is_made_anew(stores: Stores, folder: Path) -> None:
    (folder / MARKER).parent.mkdir(parents=True)
    (folder / MARKER).touch()

    stores.open(folder, FakeRandomness())

    assert stores.away(folder) == ""


def test_several_folders_are_known_at_once(stores: Stores, folder: Path, tmp_path: Path) -> None:
    stores.open(folder, FakeRandomness(1))
    stores.open(tmp_path / "second", FakeRandomness(2))
    folder.rename(tmp_path / "unmounted")

    assert stores.away(folder)
    assert not stores.away(tmp_path / "second")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", json.dumps({"x": {"y": 1}})])
def test_what_cannot_be_read_knows_no_folder(tmp_path: Path, folder: Path, text: str) -> None:
    (tmp_path / "stores.json").write_text(text)
    stores = Stores(tmp_path / "stores.json")

    assert stores.away(folder) == ""
    stores.open(folder, FakeRandomness())
    assert stores.away(folder) == ""


def test_C39_two_that_begin_with_a_folder_at_once_agree_on_its_mark(tmp_path: Path) -> None:
    for number in range(20):
        folder, barrier = tmp_path / str(number), threading.Barrier(2)
        homes = [Stores(tmp_path / f"{number}-{one}.json") for one in "ab"]

        def begin(stores: Stores, folder: Path = folder, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            stores.open(folder, SystemRandomness())

        threads = [threading.Thread(target=begin, args=(one,)) for one in homes]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert [one.away(folder) for one in homes] == ["", ""]
