"""The page of errors: every class that Thorp raises on purpose."""

import importlib
import pkgutil
from collections.abc import Iterator

import thorp
from thorp.base.errors import ThorpError, every_error
from tools.pages.page import Named, Page, code, document, paragraph, table

INTRODUCTION = """Every error carries a stable code. On `/api` the body is
`{"error": {"code", "fault", "message", "details"}}`, where `fault` is the word all nodes share. The CLI ends with the
exit code, and `503` says in `Retry-After` when to come back."""
NOT_PRODUCT = ("thorp.testing", "thorp.__main__")


def text() -> str:
    rows = [(code(one.code), str(one.status), str(one.exit_code), paragraph(one.__doc__)) for one in declared()]
    return document("Errors", INTRODUCTION, table(("code", "HTTP", "exit", "what it says"), rows))


def names() -> Iterator[Named]:
    return (Named(one.code) for one in declared())


def declared() -> list[type[ThorpError]]:
    """All error classes of the product, by code. Each has its own code and says what it means."""
    for module in pkgutil.walk_packages(thorp.__path__, "thorp."):
        if not module.name.startswith(NOT_PRODUCT):
            importlib.import_module(module.name)
    ours = [one for one in every_error() if one.__module__.startswith("thorp.") and not is_fake(one)]
    codes = [one.code for one in ours]
    for one in ours:
        if "code" not in vars(one) or not one.__doc__ or codes.count(one.code) > 1:
            raise ValueError(f"{one.__module__}.{one.__name__} needs a code of its own and a docstring")
    return sorted(ours, key=lambda one: one.code)


def is_fake(error: type[ThorpError]) -> bool:
    return error.__module__.startswith(NOT_PRODUCT)


PAGE = Page("errors.md", text, names)
