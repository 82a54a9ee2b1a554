from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.screen import Screen
from thorp.app.environment import Environment
from thorp.cli.live import MORE, Live, back, block, cells, cut, padded, plain, shortened
from thorp.cli.options import Options
from thorp.cli.output import Output

TEXTS = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=40)


@pytest.fixture
def live() -> Live:
    return Live(Output(Environment(), Options()))


def seen(capsys: pytest.CaptureFixture[str]) -> Screen:
    out, err = capsys.readouterr()
    assert out == ""
    return Screen().show("$ thorp pull\n" + err)


def test_what_is_drawn_again_takes_the_place_of_what_was_there(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.draw(["first line", "second", "third"])
    live.draw(["1st", "2nd"])

    assert seen(capsys).lines == ["$ thorp pull", "1st", "2nd"]


def test_cleared_lines_leave_nothing(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.clear()
    live.draw(["first", "second"])
    live.clear()

    assert seen(capsys).lines == ["$ thorp pull", ""]


def test_what_is_left_stands_and_more_comes_below(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.draw(["first", "second", "third"])
    live.leave(["the end"])
    live.draw(["next"])

    assert seen(capsys).lines == ["$ thorp pull", "the end", "next"]


def test_whatever_ends_it_the_lines_are_gone_and_the_cursor_is_back(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        with live.without_cursor():
            live.draw(["first", "second"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()

    screen = seen(capsys)
    assert screen.lines == ["$ thorp pull", ""]
    assert screen.cursor


def test_a_line_that_wraps_since_the_terminal_got_narrower_is_cleared_whole() -> None:
    assert back([10, 10], 80) == "\r\x1b[1A"
    assert back([10, 10], 5) == "\r\x1b[3A"
    assert back([10, 0], 9) == "\r\x1b[2A"
    assert back([], 80) == back([10], 80) == "\r"


def test_every_line_is_cleared_to_its_end() -> None:
    assert block(["a", "b"]) == "a\x1b[K\nb\x1b[K\x1b[J"


def test_text_from_elsewhere_is_one_line_that_steers_nothing() -> None:
    assert plain("a\nb\t\x1b[2Jc  d") == "a b \\x1b[2Jc d"


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("attic", 5, "attic"),
        ("attic", 4, "att…"),
        ("attic", 1, "…"),
        ("attic", 0, ""),
        ("家家家", 4, "家…"),
        ("家家家", 6, "家家家"),
        ("家家", 2, "…"),
    ],
)
def test_a_text_is_cut_where_it_ends(text: str, columns: int, expected: str) -> None:
    assert cut(text, columns) == expected


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [("mistral:7b:instruct:q4_k_m", 16, "mistral…t:q4_k_m"), ("mistral:7b", 7, "mistra…"), ("mistral", 8, "mistral")],
)
def test_a_name_loses_its_middle(text: str, columns: int, expected: str) -> None:
    assert shortened(text, columns) == expected


@given(TEXTS, st.integers(min_value=0, max_value=30))
@pytest.mark.parametrize("how", [cut, shortened])
def test_nothing_gets_wider_than_it_may(how: Callable[[str, int], str], text: str, columns: int) -> None:
    found = how(text, columns)

    assert cells(found) <= columns
    assert found == text or MORE in found or not columns


@given(TEXTS, st.integers(min_value=0, max_value=30), st.booleans())
def test_what_is_padded_is_exactly_so_wide(text: str, columns: int, right: bool) -> None:
    assert cells(padded(text, columns, right=right)) == columns
