"""Every link from page to page, to a heading or to a picture leads somewhere; pages are short and free of shouting."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import ROOT, name, pages, prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = ("http://", "https://")
EVERY_PAGE = pytest.mark.parametrize("path", pages(), ids=name)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path: Path, text: str) -> list[str]:
    found: list[str] = []
    for link in LINK.findall(prose(text)):
        if link.startswith(ELSEWHERE):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@EVERY_PAGE
def test_every_link_leads_somewhere(path: Path) -> None:
    assert broken(path, path.read_text(encoding="utf-8")) == []


@EVERY_PAGE
def test_nothing_is_shouted(path: Path) -> None:
    assert "!" not in prose(path.read_text(encoding="utf-8")).replace("![", "").replace("<!--", "")


def test_every_page_below_docs_is_linked_from_somewhere() -> None:
    linked = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in pages()
        for link in LINK.findall(prose(path.read_text(encoding="utf-8")))
    }

    below = [path for folder in ("docs", "changes") for path in (ROOT / folder).rglob("*.md")]
    assert [name(path) for path in below if path not in linked and path.parent.name != "changes"] == []


@pytest.mark.parametrize("link", ["missing.md", "here.md#nowhere", "#nowhere", "../here.md"])
def test_a_broken_link_is_caught(tmp_path: Path, link: str) -> None:
    here = tmp_path / "pages/here.md"
    here.parent.mkdir()
    here.write_text(f"# The `only` one\n\n[a](here.md#the-only-one) and [b]({link}) but not `[c](gone.md)`\n")

    assert broken(here, here.read_text()) == [link]
