"""What people get to read whose command line is wrong."""

import click
import pytest

from tests.cli.conftest import Thorp
from thorp.cli.usage import sentence_of, taken


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("completion",), "`SHELL` is missing; it takes one of bash, zsh, fish. See `thorp completion --help`."),
        (("completion", "tcsh"), "`SHELL` takes one of bash, zsh, fish. See `thorp completion --help`."),
        (("keys", "create"), "`NAME` is missing. See `thorp keys create --help`."),
        (("status", "extra"), "`extra` is more than this command takes. See `thorp status --help`."),
        (("status", "a", "b"), "`a b` is more than this command takes. See `thorp status --help`."),
        (("up", "--port", "abc"), "`--port` takes a whole number from 0 to 65535. See `thorp up --help`."),
        (("up", "--port", "70000"), "`--port` takes a whole number from 0 to 65535. See `thorp up --help`."),
        (("keys", "create", "x", "--rpm", "0"), "`--rpm` takes a whole number, 1 or more. See"),
        (("up", "--port"), "`--port` needs a value. See `thorp"),
        (("up", "--detach=yes"), "`--detach` takes no value. See `thorp"),
        (("up", "--verbose=yes"), "`--verbose` takes no value. See `thorp"),
        (("up", "--detahc"), "There is no option `--detahc`. Did you mean `--detach`? See `thorp up --help`."),
        (("up", "-x"), "There is no option `-x`. See `thorp up --help`."),
    ],
)
def test_a_wrong_line_is_told_in_whole_sentences(thorp: Thorp, arguments: tuple[str, ...], says: str) -> None:
    found = thorp(*arguments)

    assert found.code == 2
    assert found.err.startswith(says)
    assert found.err.count("\n") == 1


def test_what_only_the_parser_can_say_ends_as_a_sentence_does() -> None:
    assert sentence_of(click.UsageError("Something else")) == "Something else."
    assert sentence_of(click.UsageError("Really?")) == "Really?"
    path = click.Option(["--path"], type=click.Path())
    assert sentence_of(click.BadParameter("it is away", param=path)) == "`--path`: it is away."
    assert sentence_of(click.BadParameter("it is away")) == "Invalid value: it is away."


def test_what_is_taken_is_said_where_it_is_known() -> None:
    assert taken(click.INT) == "a whole number"
    assert taken(click.STRING) == ""
