"""A cursor over the header of a GGUF file: every step is checked against the end of the file and a bound.

It builds what is small and passes over what is long; what it keeps and how many elements it visits is capped.
"""

import mmap
import struct
from dataclasses import dataclass
from itertools import repeat
from typing import Final, NoReturn

from thorp.formats.errors import BadGgufError, shown
from thorp.formats.gguf_kinds import ARRAY, BOOL, SCALAR_LETTERS, SCALARS, STRING, VALUE_NAMES

MOST: Final = 1_000_000  # of keys, of tensors, of elements in one array
LONGEST_TEXT: Final = 64 * 1024 * 1024
LONGEST_KEY: Final = 65_535
LONGEST_KEPT: Final = 1024 * 1024  # bytes of a text; a longer one is passed over and only its size is told
DEEPEST: Final = 4  # arrays within arrays
MOST_KEPT: Final = 1024  # numbers of an array; of a longer one only the count is told
MOST_VISITED: Final = 2_000_000  # strings and inner arrays of a whole header
ROOM: Final = 32 * 1024 * 1024  # bytes of memory, roughly and on the safe side
ENTRY: Final = 300  # of them, for one key or one number, whatever it holds

_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """An array that was passed over. The values are there for short arrays of numbers."""

    kind: str
    count: int
    values: tuple[int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class LongText:
    """A text of more than a mebibyte that was passed over."""

    size: int


Value = bool | int | float | str | ArrayFacts | LongText


class Walk:
    """Where we are in one file, and what may still be kept and visited."""

    def __init__(self, name: str, data: mmap.mmap) -> None:
        self.position = 0
        self._name = name
        self._data = data
        self._size = len(data)
        self._length = _U64
        self._room = ROOM
        self._visits = MOST_VISITED

    def be_narrow(self) -> None:
        """From here on counts, lengths and dimensions are 32 bits wide, as in version 1."""
        self._length = _U32

    def refuse(self, complaint: str) -> NoReturn:
        raise BadGgufError(self._name, complaint)

    def number(self, shape: struct.Struct) -> int:
        """The next number of that shape."""
        value: int = shape.unpack_from(self._data, self._step(shape.size))[0]
        return value

    def u32(self) -> int:
        return self.number(_U32)

    def u64(self) -> int:
        return self.number(_U64)

    def length(self) -> int:
        return self.number(self._length)

    def count(self, what: str, key: str = "") -> int:
        found = self.length()
        if found > MOST:
            where = f" in `{shown(key)}`" if key else ""
            self.refuse(f"claims {found} {what}{where}; {MOST} are the most")
        return found

    def keep(self, cost: int) -> None:
        self._room -= cost
        if self._room < 0:
            self.refuse("has a header that would fill the memory")

    def name(self, what: str, most: int) -> str:
        """A key or the name of a tensor."""
        size = self.length()
        if size > most:
            self.refuse(f"has a {what} of {size} bytes; {most} are the most")
        self.keep(4 * size + ENTRY)
        start = self._step(size)
        try:
            return self._data[start : self.position].decode()
        except UnicodeDecodeError:
            self.refuse(f"has a {what} that is no UTF-8")

    def value(self, kind: int, key: str) -> Value:
        if kind == STRING:
            return self._text(key)
        if kind == ARRAY:
            return self._array(key, 1)
        if kind not in SCALARS:
            self.refuse(f"gives `{shown(key)}` a value of the unknown kind {kind}")
        if kind == BOOL:
            return self._bool(key)
        return self.number(SCALARS[kind])

    def _step(self, size: int) -> int:
        """Go on by so many bytes; answers where they begin."""
        start = self.position
        if size > self._size - start:
            self.refuse(f"ends in the middle of its header, at byte {self._size}")
        self.position = start + size
        return start

    def _bool(self, key: str) -> bool:
        found = self.number(SCALARS[BOOL])
        if found > 1:
            self.refuse(f"gives `{shown(key)}` a truth value of {found}")
        return found == 1

    def _text(self, key: str) -> str | LongText:
        size = self.length()
        if size > LONGEST_TEXT:
            self.refuse(f"gives `{shown(key)}` a text of {size} bytes; {LONGEST_TEXT} are the most")
        start = self._step(size)
        if size > LONGEST_KEPT:
            return LongText(size)
        self.keep(4 * size)
        return self._data[start : self.position].decode(errors="replace")

    def _array(self, key: str, depth: int) -> ArrayFacts:
        kind = self.u32()
        count = self.count("elements", key)
        if kind == STRING:
            self._visit(count, key)
            self._pass_texts(count, key)
        elif kind == ARRAY:
            self._visit(count, key)
            self._pass_arrays(count, key, depth + 1)
        elif kind in SCALARS:
            start = self._step(count * SCALARS[kind].size)
            if depth == 1 and count <= MOST_KEPT:
                return ArrayFacts(VALUE_NAMES[kind], count, self._numbers(kind, count, start))
        else:
            self.refuse(f"has an array `{shown(key)}` of the unknown kind {kind}")
        return ArrayFacts(VALUE_NAMES[kind], count)

    def _numbers(self, kind: int, count: int, start: int) -> tuple[int | float, ...]:
        self.keep(48 * count)
        return struct.unpack_from(f"<{count}{SCALAR_LETTERS[kind]}", self._data, start)

    def _visit(self, count: int, key: str) -> None:
        self._visits -= count
        if self._visits < 0:
            self.refuse(f"has too many elements in its arrays, up to `{shown(key)}`; {MOST_VISITED} are the most")

    def _pass_arrays(self, count: int, key: str, depth: int) -> None:
        if depth > DEEPEST:
            self.refuse(f"nests the array `{shown(key)}` deeper than {DEEPEST}")
        for _ in repeat(None, count):
            self._array(key, depth)

    def _pass_texts(self, count: int, key: str) -> None:
        """Pass over a vocabulary. One that is short as a whole has no long text in it."""
        start = self.position
        end = self._end_of_texts(count)
        if end > self._size:
            self._step(end - start)
        if end - start > LONGEST_TEXT:
            self._measure_texts(count, key)
        self.position = end

    def _end_of_texts(self, count: int) -> int:
        """The hot loop: 150 000 rounds for one vocabulary. Reading past the end fails by itself."""
        data, position, unpack, width = self._data, self.position, self._length.unpack_from, self._length.size
        try:
            for _ in repeat(None, count):
                position += width + unpack(data, position)[0]
        except (struct.error, OverflowError):
            return self._size + 1
        return position

    def _measure_texts(self, count: int, key: str) -> None:
        for _ in repeat(None, count):
            size = self.length()
            if size > LONGEST_TEXT:
                self.refuse(f"has a text of {size} bytes in `{shown(key)}`; {LONGEST_TEXT} are the most")
            self._step(size)
