"""Canonical bytes (RFC 8785). One form for everything that is hashed or signed.

orjson's sorted output equals RFC 8785 for ASCII keys and whole numbers below 2^53; anything else takes the slow, exact
path. Floats are refused: they have no place in signed data.
"""

from collections.abc import Sequence
from typing import Final, cast

import orjson
import rfc8785

from thorp.base.errors import UsageError

LARGEST_WHOLE_NUMBER: Final = 2**53 - 1
DEEPEST: Final = 64


class NotCanonicalError(UsageError):
    """A value that has no canonical form here."""

    code = "wire.not_canonical"


def canonical_bytes(value: object) -> bytes:
    """The canonical form of a JSON value."""
    if _is_simple(value, DEEPEST):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    try:
        return rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]  (it checks the value itself)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise NotCanonicalError(f"This value cannot be signed: {error}.") from None


def _is_simple(value: object, depth: int) -> bool:
    """Whether the fast path is exact for this value; refuses what no path may sign."""
    if depth == 0:
        raise NotCanonicalError(f"This value is nested deeper than {DEEPEST} levels.")
    match value:
        case None | bool():
            return True
        case str():
            return _encodable(value)
        case int():
            if abs(value) > LARGEST_WHOLE_NUMBER:
                raise NotCanonicalError(f"{value} is too large to be signed exactly.")
            return True
        case dict():
            return _all_simple_items(cast("dict[object, object]", value), depth - 1)
        case list() | tuple():
            return _all_simple(cast("Sequence[object]", value), depth - 1)
        case _:
            raise NotCanonicalError(f"A {type(value).__name__} cannot be signed; use text or whole numbers.")


def _all_simple(items: Sequence[object], depth: int) -> bool:
    """Looks at every item, because each must be refused that no path may sign."""
    simple = True
    for item in items:
        simple &= _is_simple(item, depth)
    return simple


def _all_simple_items(items: dict[object, object], depth: int) -> bool:
    simple = True
    for key, item in items.items():
        if not isinstance(key, str):
            raise NotCanonicalError("Only text can be a key.")
        simple &= _is_simple(item, depth) and _encodable(key) and key.isascii()
    return simple


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("Text with half a surrogate pair cannot be signed.") from None
    return True
