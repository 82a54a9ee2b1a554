"""Amounts as people read and write them: bytes, rates, durations. What could be meant in two ways is refused."""

import re
from decimal import Decimal
from typing import Final

from thorp.base.amounts import STEP, UNITS
from thorp.base.errors import UsageError

BINARY_STEP: Final = 1024
SPANS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
NO_RATE: Final = frozenset({"0", "none"})
RATE: Final = re.compile(
    r"(?P<count>\d{1,15}(\.\d{1,6})?)\s*(?P<power>[kmgt]?)(?P<binary>(?<=[kmgt])i)?b?(/s)?", re.ASCII | re.IGNORECASE
)
POWERS: Final = ("", "k", "m", "g", "t")
FASTEST: Final = 10**15  # bytes per second; more is a slip of the finger
AGE: Final = re.compile(r"(?P<count>\d{1,9})\s*(?P<unit>s|min|h|d|w)", re.ASCII)  # not `m`: minutes, or months?
AGES: Final = {"w": 7 * 86_400, **dict(SPANS)}


class BadRateError(UsageError):
    """A limit that is no rate."""

    code = "cli.bad_rate"


class BadAgeError(UsageError):
    """An age that is none."""

    code = "cli.bad_age"


def rate(count: float) -> str:
    """Bytes per second for people. It keeps its decimal, so that a number that changes often does not jump about."""
    amount, unit = count, 0
    while round(amount, 1) >= STEP and unit < len(UNITS) - 1:
        amount, unit = amount / STEP, unit + 1
    return f"{amount:.{1 if unit else 0}f} {UNITS[unit]}/s"


def span(seconds: float) -> str:
    """A duration for people, in its two largest units."""
    parts: list[str] = []
    rest = int(seconds)
    for word, length in SPANS:
        count, rest = divmod(rest, length)
        if count or (word == "s" and not parts):
            parts.append(f"{count} {word}")
    return " ".join(parts[:2])


def rate_of(text: str) -> int:
    """Bytes per second of `500k`, `10M`, `1.5MB/s`, `8MiB`; 0 is no limit."""
    word = text.strip()
    if word.lower() in NO_RATE:
        return 0
    found = RATE.fullmatch(word)
    if found is None:
        raise BadRateError(
            f"`{text}` is no rate. Write bytes per second, such as `500k`, `10M` or `1.5MB/s`, or `none` for no limit."
        )
    step = BINARY_STEP if found["binary"] else STEP
    count = int(Decimal(found["count"]) * step ** POWERS.index(found["power"].lower()))
    if not 1 <= count <= FASTEST:
        raise BadRateError(f"`{text}` is out of range: a rate is 1 B/s to {rate(FASTEST)}, or `none` for no limit.")
    return count


def age_of(text: str) -> int:
    """Seconds of `30d`, `12h`, `90min`, `2w`."""
    found = AGE.fullmatch(text.strip())
    if found is None:
        raise BadAgeError(f"`{text}` is no age. Write a number and s, min, h, d or w, such as `30d`.")
    return int(found["count"]) * AGES[found["unit"]]
