"""Names of the owner's own for models. They are kept in the receipts, so losing the database loses none."""

import re
from collections.abc import Callable
from typing import Final

from thorp.base.errors import NotFoundError, UsageError
from thorp.models.library import Library
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.uses import filing, using

SHAPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BadAliasError(UsageError):
    """A name that could be taken for something else."""

    code = "models.bad_alias"


class NoSuchAliasError(NotFoundError):
    """A name that the owner gave to no model."""

    code = "models.no_such_alias"


def check_alias(name: str) -> str:
    if not SHAPE.fullmatch(name):
        raise BadAliasError(
            f"`{name[:80]}` cannot be an alias: it takes up to 64 letters, digits, dots, dashes and underscores, "
            "and begins with a letter or a digit."
        )
    return name


def give(library: Library, name: str, receipt: Receipt) -> Receipt:
    """Let `name` mean this model, and no other any more. It is given first: two may have it, never none."""
    check_alias(name)
    with filing(library.layout.receipts):
        given = _changed(library, receipt, lambda one: one.with_aliases((*without(one, name).aliases, name)))
        for other in named(library, name):
            if other.key != receipt.key:
                _changed(library, other, lambda one: without(one, name))
    return given


def take_back(library: Library, name: str) -> tuple[Receipt, ...]:
    """Those that had the name."""
    with filing(library.layout.receipts):
        had = named(library, name)
        for one in had:
            _changed(library, one, lambda one: without(one, name))
    if not had:
        raise NoSuchAliasError(f"Nothing is called `{name[:64]}`. `thorp models` shows the names you gave.")
    return had


def _changed(library: Library, receipt: Receipt, change: Callable[[Receipt], Receipt]) -> Receipt:
    """Change a receipt as it is on disk now, and only while the model is there."""
    path = library.path(receipt)
    with using(path, touching=False):
        changed = change(read_receipt(path))
        library.put(changed)
    return changed


def named(library: Library, name: str) -> tuple[Receipt, ...]:
    return tuple(one for one in library.receipts() if name.casefold() in map(str.casefold, one.aliases))


def without(receipt: Receipt, name: str) -> Receipt:
    return receipt.with_aliases(tuple(one for one in receipt.aliases if one.casefold() != name.casefold()))
