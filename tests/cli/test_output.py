import json

import pytest

from thorp.app.environment import Environment
from thorp.cli.options import Options
from thorp.cli.output import Output


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

    assert capsys.readouterr().err == "Warning: careful\n"


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
