"""Canonical bytes (RFC 8785). One form for everything that is hashed or signed.

orjson's sorted output equals RFC 8785 for ASCII keys and whole numbers below 2^53; anything else takes the slow, exact path.
Floats are refused: they have no place in signed data.
"""

from typing import Final

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
            return all([_is_simple_item(key, item, depth) for key, item in value.items()])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return all([_is_simple(item, depth - 1) for item in value])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            raise NotCanonicalError(f"A {type(value).__name__} cannot be signed; use text or whole numbers.")


def _is_simple_item(key: object, item: object, depth: int) -> bool:
    if not isinstance(key, str):
        raise NotCanonicalError("Only text can be a key.")
    return _is_simple(item, depth - 1) and key.isascii()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("Text with half a surrogate pair cannot be signed.") from None
    return True
