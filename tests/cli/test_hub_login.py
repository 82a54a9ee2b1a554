import io
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp

TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TOKEN}\n"))


@pytest.mark.parametrize("words", [(), ("--token", "-")])
def test_a_token_is_read_from_stdin_and_never_repeated(thorp: Thorp, given: None, words: tuple[str, ...]) -> None:
    shown = thorp("login", "hub", *words)

    assert shown.code == 0
    assert thorp.here.token == TOKEN
    assert TOKEN not in shown.out + shown.err


def test_a_token_on_the_command_line_is_refused(thorp: Thorp, given: None) -> None:
    shown = thorp("login", "hub", "--token", TOKEN)

    assert shown.code == 2
    assert TOKEN not in shown.err
    assert thorp.here.token is None


@pytest.mark.parametrize("text", ["", "\n", "two words", "hf_a", "hf_ä" * 9, "x" * 600])
def test_what_can_be_no_token_is_not_kept(thorp: Thorp, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    assert thorp("login", "hub").code == 2
    assert thorp.here.token is None


def test_a_token_of_another_hub_is_kept_with_a_warning(thorp: Thorp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("0123456789"))

    assert "begin with `hf_`" in thorp("login", "hub").err
    assert thorp.here.token == "0123456789"


class Person(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_asked_for_unseen(thorp: Thorp, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: (asked.append(prompt), TOKEN)[1])
    monkeypatch.setattr(sys, "stdin", Person())
    monkeypatch.setattr(sys, "stderr", Person())

    assert thorp("login", "hub").code == 0
    assert thorp.here.token == TOKEN
    assert len(asked) == 1


def test_it_is_forgotten_when_that_was_confirmed(thorp: Thorp) -> None:
    thorp.here.token = TOKEN

    assert thorp("logout", "hub").code == 2
    assert "Would remove" in thorp("logout", "hub", "--dry-run").out
    assert thorp.here.token == TOKEN
    assert thorp("logout", "hub", "--yes").out == "Removed.\n"
    assert thorp("logout", "hub", "--yes").out == "There was no token of the hub here.\n"


def test_tokens_belong_to_this_machine(thorp: Thorp, given: None, tmp_path: Path) -> None:
    assert thorp("login", "hub", "--node", "http://127.0.0.1:1").code == 2
    assert thorp("logout", "hub", "--yes", "--node", "http://127.0.0.1:1").code == 2
