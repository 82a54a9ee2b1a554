"""The REST interface as OpenAPI, for programs."""

import json
from collections.abc import Iterator

from thorp.web.openapi import document
from tools.pages.page import Named, Page


def text() -> str:
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def names() -> Iterator[Named]:
    return iter(())


PAGE = Page("openapi.json", text, names)
