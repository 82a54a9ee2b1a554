import errno
import fcntl
import json
import os
import pty
import struct
import termios
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.cli.fake_node import FakeNode
from tests.cli.terminal import on_a_terminal
from thorp.app.environment import Environment
from thorp.cli.options import Options
from thorp.cli.output import (
    PROSE,
    NotWrittenError,
    Output,
    Tone,
    aligned,
    at_words,
    fits,
    is_plain,
    records,
    screen_of,
    writing,
    yes_or_no,
)


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
def output(options: Options) -> Output:
    return Output(Environment(), options)


def test_data_is_drawn_or_printed_as_it_came(
    output: Output, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"name": "Dachböden", "ports": [1, 2]}
    output.show(data, lambda out, given: out.line(given["name"]))
    assert capsys.readouterr().out == "Dachböden\n"
    options.json = True
    output.show(data, lambda out, given: out.line(given["name"]))
    printed = capsys.readouterr().out

    assert json.loads(printed) == data
    assert "Dachböden" in printed


def test_what_comes_from_elsewhere_cannot_steer_the_terminal(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    output.line("\x1b[2Jgone")
    output.note("\x1b]0;title\x07")
    output.table(("name",), [("\x1b[31mred",)])
    output.complain("\x1b[2J")
    output.json({"name": "\x1b[2J"})

    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\\x1b[31mred" in out


def test_quiet_hides_notes_and_not_warnings(
    output: Output, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    options.quiet = True
    output.note("by the way")
    output.warn("careful")
    output.done("Done.")
    output.line("data")

    assert capsys.readouterr() == ("data\n", "Warning: careful\n")
    options.quiet = False
    output.done("Done.")
    assert capsys.readouterr().out == "Done.\n"


def test_facts_line_up_without_the_unknown_ones(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("id", "1"), ("listens", "here"), ("listens", "there"), ("empty", "")])

    assert capsys.readouterr().out == "id       1\nlistens  here\n         there\n"


def test_a_table_is_not_cut_where_nobody_looks(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("id", "name"), [("1", "x" * 500), ("2", None)])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "name"]
    assert lines[1].split() == ["1", "x" * 500]
    assert lines[2].split() == ["2"]
    assert max(map(len, lines)) < 600


def test_square_brackets_in_data_are_only_text(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name",), [("[bold]attic[/bold]",)])

    assert "[bold]attic[/bold]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("titles", "rows", "needed"),
    [
        (("id", "name"), [], 2 + 4 + 4),
        (("id", "name"), [("1", "attic"), ("200", "b")], 3 + 5 + 4),
        (("id", "summary"), [("1", "word " * 50)], 2 + PROSE + 4),
        (("id", "name"), [("1", "\u5bb6" * 10)], 2 + 20 + 4),
    ],
)
def test_a_table_fits_from_a_certain_width_on(
    titles: tuple[str, ...], rows: list[tuple[str, ...]], needed: int
) -> None:
    assert fits(titles, rows, needed)
    assert not fits(titles, rows, needed - 1)


def test_records_leave_out_what_is_empty() -> None:
    rows = [("1", "", "x"), ("2", "attic", "")]

    assert list(records(("id", "name", "mark"), rows)) == ["id: 1", "mark: x", "", "id: 2", "name: attic"]


ROW = {"id": "node.info@1.0", "summary": "Says " + "it and " * 20, "trust": "member", "scope": None, "mesh": True}
ROWS = [ROW | {"streamed": False, "listed": True, "reason": ""}] * 2
NEEDED = len("node.info@1.0" + "member" + "scope" + "mesh" + "streamed") + PROSE + 2 * 6


@pytest.mark.parametrize(("columns", "is_table"), [(NEEDED, True), (NEEDED - 1, False), (40, False)])
def test_a_terminal_too_narrow_for_the_table_gets_records(
    home: Path, node: FakeNode, columns: int, *, is_table: bool
) -> None:
    node.says("GET", "/api/v1/capabilities", {"capabilities": ROWS})
    seen = on_a_terminal(home, "capabilities", columns=columns)

    assert ("id: node.info@1.0\n" in seen) is not is_table
    assert seen.count("node.info@1.0") == 2
    if is_table:
        assert max(map(len, seen.splitlines())) <= columns


def test_prose_folds_between_words_and_keeps_its_lines_and_indents() -> None:
    text = "one two three\n  four five six\n\nend"

    assert at_words(text, 9) == "one two\nthree\n  four\n  five\n  six\n\nend"
    assert at_words(text, None) == text


def test_what_stands_behind_a_label_hangs_below_its_first_word() -> None:
    assert at_words("for the owner alone", 18, "listens  ") == "listens  for the\n         owner\n         alone"
    assert at_words("ed25519:ttJJB42yz7kP", 18, "id       ") == "id       ed25519:ttJJB42yz7kP"
    assert at_words("for the owner alone", None, "listens  ") == "listens  for the owner alone"


def test_an_address_is_never_folded() -> None:
    address = "http://127.0.0.1:8737/#code=7H3M-QX2P"

    assert at_words(f"attic is up: {address}", 20) == f"attic is up:\n{address}"


def test_a_reader_that_looks_elsewhere_gets_whole_lines(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    text = "word " * 60 + "end"
    output.note(text)
    output.warn(text)
    output.complain(text)
    output.prose(text)

    assert capsys.readouterr() == (f"{text}\n", f"{text}\nWarning: {text}\n{text}\n")


def test_on_a_narrow_terminal_what_is_said_and_each_record_fold_at_words(home: Path, node: FakeNode) -> None:
    node.says("GET", "/api/v1/capabilities", {"capabilities": ROWS})
    shown = on_a_terminal(home, "capabilities", columns=40).splitlines()
    refused = on_a_terminal(home, "keys", "revoke", "nosuchkey", columns=40).splitlines()

    assert max(map(len, shown)) <= 40
    assert {word for line in shown for word in line.split()} >= {"Says", "and", "it"}
    assert not {word for line in shown for word in line.split()} & {"an", "a", "i", "nd", "t"}
    assert max(map(len, refused)) <= 40
    assert " ".join(refused) == on_a_terminal(home, "keys", "revoke", "nosuchkey", columns=400).strip()


def test_what_is_to_be_copied_stays_one_line(
    output: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    output.note("a note of several words")
    output.example("  export THORP_URL=https://192.0.2.7")

    assert capsys.readouterr().err == "a note of several\nwords\n  export THORP_URL=https://192.0.2.7\n"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("y", True), ("YES ", True), ("n", False), ("No", False), ("", False), ("ja", None), ("yy", None)],
)
def test_an_answer_is_yes_or_no_or_neither(typed: str, wanted: bool | None) -> None:
    assert yes_or_no(typed) is wanted


def test_output_that_cannot_be_written_is_an_error_of_ours() -> None:
    with pytest.raises(NotWrittenError, match=r"could not be written: No space left on device\.") as caught, writing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_code == 7
    with pytest.raises(BrokenPipeError), writing():
        raise BrokenPipeError


def on_screen(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Output:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    return Output(Environment.of(variables), Options())


@pytest.mark.parametrize(("term", "steerable"), [("xterm", True), ("dumb", False), ("", False)])
def test_only_a_terminal_that_says_what_it_is_can_be_steered(
    monkeypatch: pytest.MonkeyPatch, term: str, *, steerable: bool
) -> None:
    assert on_screen(monkeypatch, TERM=term).steerable is steerable


def test_what_is_no_terminal_is_neither_watched_nor_steered(output: Output) -> None:
    assert not output.watched
    assert not output.steerable


def test_paint_follows_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_screen(monkeypatch, TERM="xterm").paint("fits", Tone.GOOD) == "\x1b[32mfits\x1b[0m"
    assert on_screen(monkeypatch, TERM="xterm").paint("", Tone.GOOD) == ""
    for plain in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert on_screen(monkeypatch, **plain).paint("fits", Tone.GOOD) == "fits"


@pytest.mark.parametrize(("encoding", "seen"), [("utf-8", "a…━\r\x1b[K"), ("latin-1", "a~#\r\x1b[K")])
def test_what_steers_is_sent_as_it_is_in_signs_the_terminal_has(
    output: Output, monkeypatch: pytest.MonkeyPatch, encoding: str, seen: str
) -> None:
    stream = TextIOWrapper(BytesIO(), encoding=encoding, errors="backslashreplace", newline="")
    monkeypatch.setattr("sys.stderr", stream)
    output.steer("a…━\r\x1b[K")
    stream.seek(0)

    assert stream.buffer.read().decode(encoding) == seen


def test_a_terminal_that_does_not_know_its_size_counts_as_usual() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        assert screen_of(stream) == (80, 24)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
        assert screen_of(stream) == (40, 10)
    os.close(ours)


def test_where_nobody_looks_rows_stand_below_each_other_however_they_were_made() -> None:
    rows = [("id", "name"), ("1", "attic"), ("100", "")]

    assert list(aligned(rows)) == ["id   name ", "1    attic", "100       "]
    assert is_plain(rows)
    assert not is_plain([("日本",)])
    assert not is_plain([("a\nb",)])


@pytest.mark.parametrize("cell", ["plain", "日本"])
def test_the_quick_way_and_the_other_one_draw_alike(
    output: Output, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    output.table(("id", "name", ""), [("1", cell, None), ("200", "b", "c")])
    lines = capsys.readouterr().out.splitlines()

    assert [line.split() for line in lines] == [["id", "name"], ["1", cell], ["200", "b", "c"]]
    assert [line.index(word) for line, word in zip(lines[::2], ("name", "b"), strict=True)] == [5, 5]
