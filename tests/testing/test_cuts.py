"""Power cuts end work at each of its changes."""

from pathlib import Path

import pytest

from thorp.testing.cuts import every_cut


def test_every_change_is_the_last_one_once(tmp_path: Path) -> None:
    seen = []
    for number, trial in enumerate(every_cut()):
        top = tmp_path / str(number)

        def work(top: Path = top) -> None:
            try:
                top.mkdir()
                (top / "a").mkdir()
                (top / "a").rename(top / "b")
            finally:
                (top / "cleaned").mkdir()

        seen.append((trial(work), sorted(one.name for one in top.iterdir()) if top.exists() else None))

    assert seen == [(False, None), (False, []), (False, ["a"]), (False, ["b"]), (True, ["b", "cleaned"])]


def test_a_trial_that_does_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does its work"):
        list(every_cut())
