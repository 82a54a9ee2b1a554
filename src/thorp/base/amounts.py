"""Bytes in words, for every sentence that names an amount of them."""

from typing import Final

UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
STEP: Final = 1000
ROUND: Final = 10  # from here on nobody wants a decimal


def size(count: int | None) -> str:
    """Bytes for people; None is unknown."""
    if count is None:
        return "unknown"
    amount, unit = float(count), 0
    while amount >= STEP and unit < len(UNITS) - 1:
        amount, unit = amount / STEP, unit + 1
    digits = 1 if unit and amount < ROUND else 0
    return f"{amount:.{digits}f} {UNITS[unit]}"
