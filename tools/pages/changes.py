"""The page of changes: what a watcher of the stream is told."""

from collections.abc import Iterator

from thorp.wire.changes import EVERY_CHANGE
from tools.pages.page import Named, Page, code, document, paragraph
from tools.pages.shapes import fields

INTRODUCTION = """`GET /api/v1/stream` sends a `snapshot`, then one `change` for each thing that changes, each
with an id. The `kind` of a change is one of these."""


def text() -> str:
    blocks = (
        "\n\n".join(part for part in (f"## {code(one.kind)}", paragraph(vars(one).get("__doc__")), fields(one)) if part)
        for one in EVERY_CHANGE
    )
    return document("Changes", INTRODUCTION, *blocks)


def names() -> Iterator[Named]:
    return (Named(one.kind) for one in EVERY_CHANGE)


PAGE = Page("changes.md", text, names)
