"""Fragments are lines a release can sort into the changelog."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

LINE = re.compile(r"(Added|Changed|Fixed|Removed|Security): [A-Z`/].+|  \S.*")


def mistakes(text: str) -> list[str]:
    return [line for line in text.splitlines() if not LINE.fullmatch(line)]


def fragments() -> list[Path]:
    return sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")


@pytest.mark.parametrize("path", fragments(), ids=lambda path: path.name)
def test_a_fragment_says_what_kind_of_change_it_is(path: Path) -> None:
    assert path.suffix == ".md"
    assert mistakes(path.read_text(encoding="utf-8")) == []


def test_a_line_without_its_word_is_caught() -> None:
    assert mistakes("Added: A thing.\n  More of it.\nImproved: Everything.\n\n") == ["Improved: Everything.", ""]
