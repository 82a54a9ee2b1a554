import click

from thorp.cli.frame import Frame
from thorp.cli.main import cli
from thorp.cli.options import Options, shared_options


def parsed(*arguments: str) -> Options:
    frame = Frame()
    with cli.make_context("thorp", list(arguments), obj=frame):
        pass
    return frame.options


def test_nothing_given_is_the_default() -> None:
    assert (parsed().json, parsed().quiet, parsed().verbose, parsed().node) == (False, False, 0, "")


def test_each_option_is_noted() -> None:
    found = parsed("--json", "-q", "-vv", "--node", "http://attic:8738")

    assert (found.json, found.quiet, found.verbose, found.node) == (True, True, 2, "http://attic:8738")


def test_the_same_options_may_be_shown_or_only_taken() -> None:
    for hidden in (True, False):
        made = shared_options(lambda context: context.ensure_object(Frame).options, hidden=hidden)
        assert [option.hidden for option in made if isinstance(option, click.Option)] == [hidden] * 4
