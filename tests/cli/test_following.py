from pathlib import Path

import pytest

from tests.cli.fake_here import FakeCaller
from tests.cli.model_rows import DONE, ID, REF, transfer
from thorp.app.environment import Environment
from thorp.cli.answered import AnsweredError
from thorp.cli.following import (
    TransferCancelledError,
    TransferPausedError,
    Watch,
    follow,
    left,
    settled,
    worked,
    working,
)
from thorp.cli.frame import Frame

WATCH = Watch(ID, REF)


@pytest.fixture
def frame(home: Path) -> Frame:
    return Frame(Environment(home=home))


def test_only_done_is_success() -> None:
    assert settled(DONE, WATCH) == DONE
    with pytest.raises(TransferPausedError):
        settled(transfer("paused"), WATCH)
    with pytest.raises(TransferCancelledError):
        settled(transfer("cancelled"), WATCH)
    for row in ({}, transfer("failed"), transfer("active")):
        with pytest.raises(AnsweredError):
            settled(row, WATCH)


def test_a_failure_is_told_in_its_own_words() -> None:
    error = {"code": "models.no_room", "message": "No room.", "details": {"missing": 5, "exit_code": 7}}
    with pytest.raises(AnsweredError, match="No room") as caught:
        settled(transfer("failed", error=error), WATCH)
    assert caught.value.told == error


def test_a_ref_is_quoted_for_the_shell() -> None:
    assert "thorp pull 'a b'" in left(Watch(ID, "a b", here=True))


def test_the_last_row_is_the_answer(frame: Frame) -> None:
    assert follow(frame, FakeCaller(rows=[transfer(), DONE], open=True), WATCH) == DONE


def test_work_answers_with_what_it_ended_with(frame: Frame) -> None:
    told = {"file": "a", "done": 1, "total": 2}

    assert worked(frame, [("frame", told), ("done", {"ok": True})], "verifying") == {"ok": True}
    with pytest.raises(AnsweredError):
        worked(frame, [("frame", told)], "verifying")


def test_with_json_work_prints_no_progress(frame: Frame, capsys: pytest.CaptureFixture[str]) -> None:
    frame.options.json = True
    with working(frame, "writing") as told:
        told("a", 1, 2)

    assert capsys.readouterr() == ("", "")
