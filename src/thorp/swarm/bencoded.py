"""Reads bencoding that a stranger wrote: the one canonical form, within bounds, and nothing else.

What is accepted has exactly one way to be written, so that reading and writing it again gives the same bytes.
"""

import re
from typing import Final, NoReturn, TypeAlias

from thorp.base.errors import IntegrityError

# Bytes of a torrent, wherever one is kept, asked for or read; that of a file of five terabytes.
LARGEST: Final = 6 * 1024 * 1024
DEEPEST: Final = 8  # levels; a torrent of ours has five
MOST_VALUES: Final = 10_000  # keys count too; a torrent of one file has some twenty

_LEAST, _MOST = -(2**63), 2**63 - 1
_NUMBER: Final = re.compile(rb"i(0|-?[1-9][0-9]{0,18})e")
_LENGTH: Final = re.compile(rb"(0|[1-9][0-9]{0,9}):")

Value: TypeAlias = "int | bytes | list[Value] | dict[bytes, Value]"


class BadBencodingError(IntegrityError):
    """Bytes that are no canonical bencoding, or more of it than anybody needs."""

    code = "swarm.bad_bencoding"


def read(content: bytes, *, largest: int = LARGEST, most: int = MOST_VALUES) -> Value:
    """The one value that these bytes are."""
    if len(content) > largest:
        raise BadBencodingError(
            f"These {len(content)} bytes are more than the {largest} that any torrent needs. Ask somebody else for it."
        )
    walk = _Walk(content, most)
    value = walk.value(DEEPEST)
    walk.expect_end()
    return value


class _Walk:
    def __init__(self, content: bytes, most: int) -> None:
        self._content = content
        self._position = 0
        self._left = most

    def value(self, levels: int) -> Value:
        self._left -= 1
        if self._left < 0:
            self._refuse("holds more values than any torrent needs")
        kind = self._content[self._position : self._position + 1]
        if kind == b"i":
            return self._number()
        if kind not in (b"l", b"d"):
            return self._string()
        if not levels:
            self._refuse("is nested deeper than any torrent")
        return self._list(levels - 1) if kind == b"l" else self._dictionary(levels - 1)

    def expect_end(self) -> None:
        if self._position != len(self._content):
            self._refuse("goes on after its end")

    def _number(self) -> int:
        found = _NUMBER.match(self._content, self._position)
        if found is None:
            self._refuse("has a number that is not written as numbers are")
        number = int(found[1])
        if not _LEAST <= number <= _MOST:
            self._refuse("has a number of more than 64 bits")
        self._position = found.end()
        return number

    def _string(self) -> bytes:
        found = _LENGTH.match(self._content, self._position)
        if found is None:
            self._refuse("has something that is no value")
        end = found.end() + int(found[1])
        if end > len(self._content):
            self._refuse("ends within a string")
        self._position = end
        return self._content[found.end() : end]

    def _list(self, levels: int) -> list[Value]:
        self._position += 1
        found: list[Value] = []
        while not self._at_end():
            found.append(self.value(levels))
        return found

    def _dictionary(self, levels: int) -> dict[bytes, Value]:
        self._position += 1
        found: dict[bytes, Value] = {}
        before: bytes | None = None
        while not self._at_end():
            self._left -= 1
            key = self._string()
            if before is not None and key <= before:
                self._refuse("has a key twice" if key == before else "has its keys in another order than that of bytes")
            found[key], before = self.value(levels), key
        return found

    def _at_end(self) -> bool:
        if self._content[self._position : self._position + 1] != b"e":
            return False
        self._position += 1
        return True

    def _refuse(self, complaint: str) -> NoReturn:
        where = f"near its byte {self._position}"
        raise BadBencodingError(f"What came {complaint}, {where}. It was not used; ask somebody else for it.")
