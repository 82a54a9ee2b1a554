"""One request as the fake hub reads it, and the arithmetic of byte ranges. Pure; refuses what is no HTTP/1.1."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class Host(StrEnum):
    HUB = "hub"
    CDN = "cdn"


@dataclass(frozen=True, slots=True)
class Request:
    host: Host
    method: str
    target: str  # as it stands in the first line
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # names in lower case
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def segments(self) -> tuple[str, ...]:
        """The path in its pieces, each decoded; an encoded slash stays within its piece."""
        return tuple(unquote(one) for one in self.path.split("/")[1:])

    @property
    def token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def range(self) -> tuple[int, int | None] | None:
        return read_range(self.headers.get("range", ""))

    def every(self, name: str) -> list[str]:
        """All values of a parameter; `name[]=` and commas count as well."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return [one for key, text in pairs if key in (name, f"{name}[]") for one in text.split(",") if one]

    def one(self, name: str, otherwise: str = "") -> str:
        pairs = dict(parse_qsl(self.query, keep_blank_values=True))
        return pairs.get(name, otherwise)

    def flag(self, name: str) -> bool:
        return self.one(name).lower() in ("1", "true")

    def number(self, name: str, otherwise: int) -> int:
        text = self.one(name)
        return int(text) if text.isdecimal() else otherwise

    def without(self, *names: str) -> "Request":
        """The same without some of its headers."""
        return replace(self, headers={name: text for name, text in self.headers.items() if name not in names})


def parse_head(host: Host, head: bytes) -> Request:
    """Everything up to the empty line; fails with a ValueError when it is no HTTP/1.1."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1.") or not target.startswith("/"):
        raise ValueError(first)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, text = line.partition(":")
        if not colon:
            raise ValueError(line)
        headers[name.strip().lower()] = text.strip()
    return Request(host, method, target, headers)


def read_range(text: str) -> tuple[int, int | None] | None:
    """First and last byte that are asked for, the first negative for a tail; None for whatever a hub passes over."""
    match = _RANGE.fullmatch(text.replace(" ", ""))
    if not match:
        return None
    first, last = match.groups()
    if not first:
        return (-int(last), None) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), int(last) if last else None


def span_of(asked: tuple[int, int | None] | None, length: int) -> tuple[int, int] | None:
    """Which bytes that is, first and end; the whole without a range, None where there are none."""
    if asked is None:
        return 0, length
    first, last = asked
    if first < 0:
        return max(0, length + first), length
    end = length if last is None else min(last + 1, length)
    return (first, end) if first < end else None
