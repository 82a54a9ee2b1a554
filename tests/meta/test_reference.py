"""Every setting, error, command, option, route, capability and change is documented, and no page has drifted."""

from dataclasses import replace
from pathlib import Path

import pytest

from tools.pages.page import Named, Page, table, undocumented
from tools.reference import FOLDER, PAGES, drifted, read, write

EVERY_PAGE = pytest.mark.parametrize("made", PAGES, ids=[page.file for page in PAGES])


def test_no_page_has_drifted() -> None:
    assert [page.file for page in drifted(FOLDER)] == [], "run script/docs"


@EVERY_PAGE
def test_everything_declared_is_documented(made: Page) -> None:
    assert undocumented(made.names(), read(FOLDER / made.file)) == []


@EVERY_PAGE
def test_something_undocumented_is_caught(made: Page) -> None:
    planted = replace(made, names=lambda: [*made.names(), Named("planted.here")])

    assert undocumented(planted.names(), read(FOLDER / made.file)) == ["`planted.here`"]


def test_an_option_documented_at_another_command_is_caught() -> None:
    page = "## `thorp up`\n\n| `--open` |\n\n## `thorp down`\n\nNothing.\n"

    assert undocumented([Named("--open", "thorp up")], page) == []
    assert undocumented([Named("--open", "thorp down")], page) == ["`thorp down --open`"]


def test_a_page_edited_by_hand_is_caught_and_mended(tmp_path: Path) -> None:
    write(tmp_path)
    assert drifted(tmp_path) == []
    (tmp_path / "errors.md").write_text("nothing ever fails\n")

    assert [page.file for page in drifted(tmp_path)] == ["errors.md"]

    write(tmp_path)
    assert drifted(tmp_path) == []


def test_a_table_leaves_out_what_is_empty_and_keeps_its_cells_apart() -> None:
    assert table(("a", "b"), [("one | two", "")]) == "| a |\n| --- |\n| one \\| two |"
    assert table(("a", "b"), []) == ""
