import io
import sys

import click
import pytest

from tests.cli.fake_here import FakeHere
from tests.cli.fake_node import FakeNode
from thorp.app.environment import Environment
from thorp.base.errors import ThorpError
from thorp.cli.frame import Frame, NotConfirmedError


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


class Leaving(Person):
    """Somebody who presses Ctrl-C instead of answering."""

    def readline(self, size: int | None = -1, /) -> str:
        raise KeyboardInterrupt


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", Person(answer))
    monkeypatch.setattr(sys, "stderr", Person())


def test_a_flag_names_the_node_before_the_environment_does() -> None:
    frame = Frame(Environment.of({"THORP_URL": "http://one"}))
    assert frame.node_url == "http://one"
    frame.options.node = "http://two"
    assert frame.node_url == "http://two"


def test_a_stopped_node_is_none_or_an_error(home: object) -> None:
    frame = Frame(Environment.of({"THORP_HOME": str(home)}))

    assert frame.running_link() is None
    with pytest.raises(ThorpError, match="`thorp up`"):
        frame.link()


def test_a_running_node_is_found(home: object, node: FakeNode) -> None:
    node.says("GET", "/api/v1/node", {"name": "attic"})
    frame = Frame(Environment.of({"THORP_HOME": str(home)}))
    link = frame.running_link()

    assert link
    assert link.ask("GET", "/api/v1/node") == {"name": "attic"}


def test_models_are_worked_on_by_the_node_or_here(home: object, node: FakeNode) -> None:
    node.offers("library.list", {"models": []})
    frame = Frame(Environment.of({"THORP_HOME": str(home)}), FakeHere())

    assert not frame.is_alone()
    with frame.models() as caller:
        assert not caller.here
        assert caller.call("library.list") == {"models": []}


def test_without_a_node_models_are_worked_on_here(home: object) -> None:
    here = FakeHere()
    frame = Frame(Environment.of({"THORP_HOME": str(home)}), here)

    assert frame.is_alone()
    with frame.models() as caller:
        assert caller is here.work
        assert here.work.open
    assert not here.work.open


def test_a_node_that_was_named_is_asked_whatever_runs_here(elsewhere: FakeNode) -> None:
    elsewhere.offers("library.list", {"models": []})
    frame = Frame(Environment.of({"THORP_URL": elsewhere.url}), FakeHere())

    assert not frame.is_alone()
    with frame.models() as caller:
        assert caller.call("library.list") == {"models": []}


def test_with_yes_nobody_is_asked() -> None:
    Frame().confirm("Really?", yes=True)


def test_without_a_person_a_question_is_an_error_that_names_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(NotConfirmedError, match=r"Really\? .*`--yes`"):
        Frame().confirm("Really?", yes=False)


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_no_ends_the_command(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    at_a_terminal(monkeypatch, answer)
    with pytest.raises(click.Abort):
        Frame().confirm("Really?", yes=False)
    assert isinstance(sys.stderr, Person)
    assert sys.stderr.getvalue().endswith("Nothing was changed.\n")


def test_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "y\n")
    Frame().confirm("Really?", yes=False)


def test_an_interrupted_question_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "")
    monkeypatch.setattr(sys, "stdin", Leaving())
    with pytest.raises(click.Abort):
        Frame().confirm("Really?", yes=False)
    assert isinstance(sys.stderr, Person)
    assert sys.stderr.getvalue() == "Really? [y/N]: \n"
