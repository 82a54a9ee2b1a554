"""What a generated page is, and the Markdown it is made of."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import cleandoc

MADE = "<!-- Made by script/docs from the declarations in the code. Change those, not this page. -->"


@dataclass(frozen=True, slots=True)
class Named:
    """Something that has to be documented: a word, and the section of the page it belongs to (empty: anywhere)."""

    word: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One generated page: how it is written, and what has to be on it."""

    file: str
    text: Callable[[], str]
    names: Callable[[], Iterable[Named]]


def undocumented(names: Iterable[Named], text: str) -> list[str]:
    """What a page does not mention in backticks where it should."""
    sections = sections_of(text)
    return [
        f"`{name.section} {name.word}`".replace("` ", "`")
        for name in names
        if f"`{name.word}`" not in (sections.get(name.section, "") if name.section else text)
    ]


def sections_of(text: str) -> dict[str, str]:
    """The text under each heading, by the words of the heading."""
    parts = re.split(r"^#+ `?(.+?)`?$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def document(title: str, introduction: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", MADE, introduction, *(block for block in blocks if block))) + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table without its empty columns; nothing when there are no rows."""
    columns = [(head, *cells) for head, *cells in zip(heads, *rows, strict=True) if any(cells)]
    if not columns:
        return ""
    head, *lines = ("| " + " | ".join(one_line(cell) for cell in row) + " |" for row in zip(*columns, strict=True))
    return "\n".join((head, "| --- " * len(columns) + "|", *lines))


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    return f"`{text}`" if text != "" else ""


def paragraph(docstring: str | None) -> str:
    """The first paragraph of a docstring, as one line."""
    return one_line(cleandoc(docstring or "").partition("\n\n")[0])
