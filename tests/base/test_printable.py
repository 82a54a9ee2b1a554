import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.printable import printable, printable_json


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


CONTROL = "\x1b[2J\x9b31m\u202e\u2028\U000e0001 \n"


def test_json_says_the_same_without_a_control_character() -> None:
    written = printable_json(json.dumps({"name": CONTROL, "plain": "Küche \U0001f600"}, ensure_ascii=False, indent=2))

    assert json.loads(written) == {"name": CONTROL, "plain": "Küche \U0001f600"}
    assert "Küche \U0001f600" in written
    assert all(one.isprintable() for one in written.replace("\n", ""))


@given(st.text())
def test_any_text_survives_as_json(text: str) -> None:
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text
