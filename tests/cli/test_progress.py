import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.screen import Screen, program
from thorp.app.environment import Environment
from thorp.cli.live import cells
from thorp.cli.options import Options
from thorp.cli.output import Output, Tone
from thorp.cli.progress import AHEAD, DONE, PlainLines, ProgressLine, amount_of, drawn, percent, progress, sources_of
from thorp.testing.clock import FakeClock

ROW: dict[str, Any] = {
    "id": "01JD0000000000000000000000",
    "ref": "qwen3:30b-a3b:instruct-2507:ud-q4_k_xl",
    "state": "active",
    "total": 4_100_000_000,
    "done": 1_722_000_000,
    "by_source": {"loft": 654_360_000, "hub": 1_067_640_000, "attic": 0},
    "rate": 12_345_678.9,
    "eta": 192.6,
    "error": None,
}


def paint(text: str, _tone: Tone) -> str:
    return text


@pytest.fixture
def output() -> Output:
    return Output(Environment(), Options())


def test_on_a_wide_terminal_all_is_shown() -> None:
    assert drawn(ROW, 99, paint) == [
        f"qwen3:30b-a3b:instruct-2507:ud-q4_k_xl  {DONE * 16}{AHEAD * 24}   42 %",
        "1.7 of 4.1 GB  12.3 MB/s  3 min 12 s left  hub 62 % · loft 38 %",
    ]


def test_on_a_narrow_one_the_numbers_get_fewer() -> None:
    assert drawn(ROW, 59, paint)[1] == "1.7 of 4.1 GB  12.3 MB/s  3 min 12 s  hub 62 % · loft 38 %"
    assert drawn(ROW, 39, paint)[1] == "1.7 of 4.1 GB  12.3 MB/s  3 min 12 s"
    assert drawn(ROW, 30, paint)[1] == "1.7 of 4.1 GB  12.3 MB/s"
    assert drawn(ROW, 20, paint) == ["qwen3:…4_k_xl   42 %", "1.7 of 4.1 GB"]


@given(
    st.fixed_dictionaries(
        {
            "ref": st.text(max_size=60),
            "state": st.sampled_from(["queued", "active", "failed", "done"]),
            "total": st.none() | st.integers(0, 10**15),
            "done": st.integers(0, 10**15),
            "by_source": st.dictionaries(st.text(max_size=9), st.integers(0, 10**12), max_size=4),
            "rate": st.none() | st.floats(0, 1e12),
            "eta": st.none() | st.floats(allow_nan=True),
            "error": st.none() | st.text(max_size=90),
        }
    ),
    st.integers(min_value=1, max_value=200),
)
def test_no_line_is_ever_wider_than_the_terminal(row: dict[str, Any], room: int) -> None:
    lines = drawn(row, room, paint)

    assert len(lines) == 2
    assert all(cells(line) <= room or room < 10 for line in lines)
    assert all(one.isprintable() for line in lines for one in line)


def test_what_is_not_known_is_not_shown() -> None:
    row = ROW | {"state": "resolving", "total": None, "done": 0, "by_source": {}, "rate": None, "eta": None}

    name, numbers = drawn(row, 99, paint)
    assert "%" not in name + numbers
    assert numbers == "resolving  0 B"
    assert drawn(row | {"state": "active", "eta": math.inf}, 99, paint)[1] == "0 B"


def test_a_failure_is_told() -> None:
    def marked(text: str, tone: Tone) -> str:
        return f"<{tone}:{text}>"

    row = ROW | {"state": "failed", "error": "the line\x1b[2J broke"}
    assert drawn(row, 99, marked)[1] == "<wrong:failed  1.7 of 4.1 GB  the line\\x1b[2J broke>"
    assert drawn(row, 20, paint)[1] == "failed"


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 1000, "   0 %"), (999, 1000, "  99 %"), (1000, 1000, " 100 %"), (1001, 1000, " 100 %"), (5, None, "     ")],
)
def test_only_all_of_it_is_a_hundred(done: int, total: int | None, text: str) -> None:
    assert percent({"done": done, "total": total}).rjust(6) == text.rjust(6)


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (5_000_000, 4_000_000_000, "5.0 MB of 4.0 GB"),
        (0, 999, "0 of 999 B"),
        (5, None, "5 B"),
        (0, 10**9, "0 B of 1.0 GB"),
    ],
)
def test_an_amount_names_its_unit_once(done: int, total: int | None, text: str) -> None:
    assert amount_of({"done": done, "total": total}) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, ""),
        (None, ""),
        ({"hub": 0}, ""),
        ({"hub": 7}, "hub 100 %"),
        ({"a": 1, "c": 1, "b": 1}, "a 34 % · b 33 % · c 33 %"),
    ],
)
def test_the_parts_of_the_sources_are_a_hundred_in_sum(given: dict[str, int] | None, text: str) -> None:
    assert sources_of({"by_source": given}) == text


def test_it_is_drawn_at_most_every_150_ms_but_a_new_state_at_once(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    line = ProgressLine(output, clock)

    def drew(**changed: Any) -> bool:
        line.update(ROW | changed)
        return bool(capsys.readouterr().err)

    assert drew()
    assert not drew()
    clock.advance(0.14)
    assert not drew()
    clock.advance(0.02)
    assert drew()
    assert drew(state="verifying")


def test_what_was_told_last_stays(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(output, FakeClock())
    line.update(ROW)
    line.update(ROW | {"done": 3_000_000_000})
    line.end()
    output.note("next")

    lines = Screen().show(capsys.readouterr().err).lines
    assert lines[0].endswith("73 %")
    assert lines[2:] == ["next", ""]


def test_room_can_be_made_for_something_that_must_be_said(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(output, FakeClock())
    line.update(ROW)
    line.clear()
    output.warn("slow")
    line.update(ROW)

    lines = Screen().show(capsys.readouterr().err).lines
    assert lines[0] == "Warning: slow"
    assert len(lines) == 3


def test_with_json_every_update_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    options = Options(json=True, quiet=True)
    with progress(Output(Environment(), options), options) as shown:
        shown.update(ROW)
        shown.update(ROW | {"state": "done"})

    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [ROW, ROW | {"state": "done"}]
    assert err == ""


def test_where_nobody_looks_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(Output(Environment(), Options()), Options()) as shown:
        shown.update(ROW)
        shown.clear()

    assert capsys.readouterr() == ("", "")


def test_a_terminal_that_only_writes_on_gets_a_line_for_each_tenth(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = PlainLines(output)
    for done in range(0, 1001, 10):
        lines.update(ROW | {"total": 1000, "done": done})
    lines.update(ROW | {"state": "verifying", "total": 1000, "done": 1000})

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 12
    assert told[-1].endswith("100 %  verifying  1.0 of 1.0 KB")


PROGRAM = f"""
from thorp.app.environment import Environment
from thorp.cli.options import Options
from thorp.cli.output import Output
from thorp.cli.progress import progress
options = Options(quiet=QUIET)
with progress(Output(Environment.read(), options), options) as shown:
    for done in range(0, 4_100_000_001, 41_000_000):
        shown.update({ROW!r} | {{"done": done}})
print("end")
"""


def test_on_a_terminal_one_bar_stays_in_its_place() -> None:
    with program(PROGRAM.replace("QUIET", "False"), columns=60, lines=6) as running:
        assert running.end() == 0

    lines = Screen().show(running.seen).lines
    assert lines[0].endswith("100 %")
    assert lines[1].startswith("4.1 of 4.1 GB  12.3 MB/s")
    assert lines[2:] == ["end", ""]


def test_with_quiet_there_is_no_bar() -> None:
    with program(PROGRAM.replace("QUIET", "True")) as running:
        assert running.end() == 0

    assert running.seen == "end\r\n"
