import json
from pathlib import Path

import pytest

from tests.cli.fake_node import FakeNode
from tests.cli.terminal import on_a_terminal
from thorp.app.environment import Environment
from thorp.cli.options import Options
from thorp.cli.output import PROSE, Output, fits, records


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
