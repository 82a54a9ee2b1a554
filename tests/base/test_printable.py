import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("zwölf 12 村", "zwölf 12 村"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("back\b\rover", "back\\x08\\rover"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_steers_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_unprintable_is_left(text: str) -> None:
    assert all(one.isprintable() or one in "\n\t" for one in printable(text))
