"""Reads the header of a safetensors file that a stranger wrote, and nothing behind it.

Refuses a header that is too long, no UTF-8, no plain JSON or says a thing twice; unknown dtypes; shapes that do not
fill their span; and spans that overlap, leave holes or do not end where the file ends.
"""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from struct import Struct
from types import MappingProxyType
from typing import Final, NoReturn, cast

from thorp.formats.errors import BadSafetensorsError, shown
from thorp.formats.json_walk import JsonWalk
from thorp.formats.opened import mapped

LONGEST_HEADER: Final = 100_000_000
LENGTH: Final = Struct("<Q")
METADATA: Final = "__metadata__"
ROOM: Final = 32 * 1024 * 1024  # bytes of memory for names and descriptions, roughly and on the safe side
MOST_DIMENSIONS: Final = 32
_ENTRY: Final = 600
_BOTH: Final = 2  # where a span begins and where it ends
_LARGEST: Final = 2**63 - 1
_FIELDS: Final = frozenset({"dtype", "shape", "data_offsets"})

BITS: Final = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


@dataclass(frozen=True, slots=True)
class Span:
    """One tensor; it fills the bytes from `begin` up to but not including `end`, counted from the start of the data."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    begin: int
    end: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    metadata: Mapping[str, str]  # without texts of more than a mebibyte
    tensors: tuple[Span, ...]
    data_start: int
    file_size: int


def read_safetensors(path: Path) -> SafetensorsHeader:
    """The header of this file. Fails with a FormatError, or as `thorp.base.files` does when it cannot be opened."""
    with mapped(path) as data:
        return _Reader(path.name, data).read()


class _Reader:
    def __init__(self, name: str, data: mmap.mmap) -> None:
        self._name = name
        self._data = data
        self._room = ROOM

    def read(self) -> SafetensorsHeader:
        start = LENGTH.size + self._header_length()
        walk = JsonWalk(self._data, LENGTH.size, start, self._refuse)
        walk.check_utf8()
        if self._data[LENGTH.size : LENGTH.size + 1] != b"{":
            self._refuse("has a header that is no JSON object")
        metadata, spans = self._entries(walk)
        walk.finish()
        self._place(spans, len(self._data) - start)
        return SafetensorsHeader(MappingProxyType(metadata), spans, start, len(self._data))

    def _refuse(self, complaint: str) -> NoReturn:
        raise BadSafetensorsError(self._name, complaint)

    def _header_length(self) -> int:
        if len(self._data) < LENGTH.size:
            self._refuse("ends in the middle of its header")
        length: int = LENGTH.unpack_from(self._data)[0]
        if length > LONGEST_HEADER:
            self._refuse(f"claims a header of {length} bytes; {LONGEST_HEADER} are the most")
        if length > len(self._data) - LENGTH.size:
            self._refuse(f"ends in the middle of its header, at byte {len(self._data)}")
        return length

    def _keep(self, cost: int) -> None:
        self._room -= cost
        if self._room < 0:
            self._refuse("has a header that would fill the memory")

    def _entries(self, walk: JsonWalk) -> tuple[dict[str, str], tuple[Span, ...]]:
        spans: dict[str, Span] = {}
        metadata: dict[str, str] | None = None
        for name in walk.members():
            if name == METADATA:
                if metadata is not None:
                    self._refuse(f"has `{METADATA}` twice")
                metadata = self._metadata(walk)
            elif name in spans:
                self._refuse(f"has the tensor `{shown(name)}` twice")
            else:
                self._keep(_ENTRY + 4 * len(name))
                spans[name] = self._span(name, walk.small_object(f"the tensor `{shown(name)}`"))
        return metadata or {}, tuple(spans.values())

    def _metadata(self, walk: JsonWalk) -> dict[str, str]:
        found: dict[str, str] = {}
        seen: set[str] = set()
        for key in walk.members():
            if key in seen:
                self._refuse(f"has the key `{shown(key)}` twice in `{METADATA}`")
            seen.add(key)
            value = walk.string()
            self._keep(_ENTRY + 4 * (len(key) + len(value or "")))
            if value is not None:
                found[key] = value
        return found

    def _span(self, name: str, fields: Mapping[str, object]) -> Span:
        if frozenset(fields) != _FIELDS:
            self._refuse(f"does not give the tensor `{shown(name)}` a dtype, a shape and its data_offsets, and no more")
        dtype = fields["dtype"]
        if not isinstance(dtype, str) or dtype not in BITS:
            self._refuse(f"has a tensor `{shown(name)}` of an unknown dtype")
        shape, offsets = _counts(fields["shape"]), _counts(fields["data_offsets"])
        if shape is None or len(shape) > MOST_DIMENSIONS:
            self._refuse(f"has a tensor `{shown(name)}` with an impossible shape")
        if offsets is None or len(offsets) != _BOTH or offsets[0] > offsets[1]:
            self._refuse(f"has a tensor `{shown(name)}` with impossible data_offsets")
        if prod(shape) * BITS[dtype] != 8 * (offsets[1] - offsets[0]):
            self._refuse(f"has a tensor `{shown(name)}` whose shape and dtype do not fill its span")
        return Span(name, shape, dtype, *offsets)

    def _place(self, spans: Sequence[Span], available: int) -> None:
        end = 0
        for span in sorted(spans, key=lambda one: (one.begin, one.end)):
            if span.begin != end:
                what = "overlaps another one" if span.begin < end else "lies behind a hole"
                self._refuse(f"has a tensor `{shown(span.name)}` that {what}")
            end = span.end
        if end > available:
            self._refuse(f"ends {end - available} bytes before the end of its last tensor")
        if end < available:
            self._refuse(f"has {available - end} bytes behind its last tensor")


def _counts(found: object) -> tuple[int, ...] | None:
    """A list of whole numbers that a file can have; None when it is anything else."""
    if not isinstance(found, list):
        return None
    items = tuple(cast("list[object]", found))
    return cast("tuple[int, ...]", items) if all(type(one) is int and 0 <= one <= _LARGEST for one in items) else None
