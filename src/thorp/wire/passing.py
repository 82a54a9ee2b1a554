"""What a request says about having been passed on by somebody."""

from collections.abc import Iterable
from typing import Final

NAMES: Final = frozenset({b"forwarded", b"via", b"x-real-ip"})
PREFIX: Final = b"x-forwarded"


def was_passed_on(header_names: Iterable[bytes]) -> bool:
    """Whether the last hop says nothing about where this request came from. The names are in lower case."""
    return any(name in NAMES or name.startswith(PREFIX) for name in header_names)
