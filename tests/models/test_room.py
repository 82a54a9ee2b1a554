"""Whether there is room is said before anything is begun, with the number that is missing."""

import shutil
from pathlib import Path

import pytest

from thorp.models.room import NoRoomError, check_room


@pytest.mark.parametrize("below", [".", "not/made/yet"])
def test_C37_the_number_that_is_missing_is_told(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below
    free = shutil.disk_usage(tmp_path).free

    with pytest.raises(NoRoomError, match=f"`{folder}` has room for") as refused:
        check_room(folder, 2 * free + 5)

    details = refused.value.details
    assert refused.value.exit_code == 7
    assert details["needed"] == 2 * free + 5
    assert details["missing"] == 2 * free + 5 - int(str(details["free"]))
    assert not (tmp_path / "not").exists()


def test_what_fits_passes_in_silence(tmp_path: Path) -> None:
    check_room(tmp_path / "not/made/yet", 1)
    check_room(tmp_path, 0)
