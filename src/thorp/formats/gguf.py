"""Reads the header of a GGUF file that a stranger wrote, and nothing behind it.

Refuses whatever does not add up: counts, lengths, nesting, alignment, unknown kinds, names that occur twice, tensors
that overlap or reach beyond the end of the file. A vocabulary is passed over, not built.
"""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Final

from thorp.formats.errors import BigEndianError, shown
from thorp.formats.gguf_kinds import TENSOR_KINDS, UINT32
from thorp.formats.gguf_walk import ENTRY, LONGEST_KEY, Value, Walk
from thorp.formats.opened import mapped

MAGIC: Final = b"GGUF"
VERSIONS: Final = range(1, 4)
DEFAULT_ALIGNMENT: Final = 32
MOST_DIMENSIONS: Final = 4
MOST_ELEMENTS: Final = 2**63 - 1
LONGEST_TENSOR_NAME: Final = 255
ALIGNMENT: Final = "general.alignment"
_LOW_HALF: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; the offset counts from the start of the data."""

    name: str
    shape: tuple[int, ...]  # the fastest dimension first
    kind: str
    offset: int
    size: int  # bytes

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    version: int
    alignment: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_start: int
    file_size: int


def read_gguf(path: Path) -> GgufHeader:
    """The header of this file. Fails with a FormatError, or as `thorp.base.files` does when it cannot be opened."""
    with mapped(path) as data:
        return _header(path.name, data)


def _header(name: str, data: mmap.mmap) -> GgufHeader:
    walk = Walk(name, data)
    version = _version(name, data, walk)
    if version == 1:
        walk.be_narrow()
    tensor_count, key_count = walk.count("tensors"), walk.count("keys")
    alignment, metadata = _metadata(walk, key_count)
    tensors = _tensors(walk, tensor_count)
    start = -(-walk.position // alignment) * alignment
    _place(walk, tensors, alignment, len(data) - start)
    return GgufHeader(version, alignment, MappingProxyType(metadata), tensors, start, len(data))


def _version(name: str, data: mmap.mmap, walk: Walk) -> int:
    if data[:4] == MAGIC[::-1]:
        raise BigEndianError(name, "is GGUF for big-endian machines")
    if data[:4] != MAGIC:
        walk.refuse("does not begin as a GGUF file does")
    walk.u32()
    version = walk.u32()
    if version and version & _LOW_HALF == 0:
        raise BigEndianError(name, "is GGUF for big-endian machines")
    if version not in VERSIONS:
        walk.refuse(f"is GGUF version {version}; Thorp reads versions {VERSIONS[0]} to {VERSIONS[-1]}")
    return version


def _metadata(walk: Walk, count: int) -> tuple[int, dict[str, Value]]:
    """The alignment, and all keys with it."""
    found: dict[str, Value] = {}
    alignment = DEFAULT_ALIGNMENT
    for _ in range(count):
        key = walk.name("key", LONGEST_KEY)
        if key in found:
            walk.refuse(f"has the key `{shown(key)}` twice")
        kind = walk.u32()
        found[key] = value = walk.value(kind, key)
        if key == ALIGNMENT:
            alignment = _alignment(walk, kind, value)
    return alignment, found


def _alignment(walk: Walk, kind: int, value: Value) -> int:
    if kind != UINT32 or not isinstance(value, int):
        walk.refuse("gives its alignment as another kind of value than a 32-bit number")
    if value.bit_count() != 1:
        walk.refuse(f"has an alignment of {value}, which is no power of two")
    return value


def _tensors(walk: Walk, count: int) -> tuple[Tensor, ...]:
    found: dict[str, Tensor] = {}
    for _ in range(count):
        tensor = _tensor(walk)
        if tensor.name in found:
            walk.refuse(f"has the tensor `{shown(tensor.name)}` twice")
        found[tensor.name] = tensor
    return tuple(found.values())


def _tensor(walk: Walk) -> Tensor:
    name = walk.name("name of a tensor", LONGEST_TENSOR_NAME)
    walk.keep(ENTRY)
    dimensions = walk.u32()
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        walk.refuse(f"gives the tensor `{shown(name)}` {dimensions} dimensions; 1 to {MOST_DIMENSIONS} are possible")
    shape = tuple(walk.length() for _ in range(dimensions))
    kind = TENSOR_KINDS.get(number := walk.u32())
    if kind is None:
        walk.refuse(f"has a tensor `{shown(name)}` of the unknown kind {number}")
    elements = prod(shape)
    if not 1 <= elements <= MOST_ELEMENTS:
        walk.refuse(f"has a tensor `{shown(name)}` of {'no' if not elements else 'impossibly many'} elements")
    if shape[0] % kind.block:
        walk.refuse(f"has a tensor `{shown(name)}` whose rows do not fill whole blocks of {kind.name}")
    return Tensor(name, shape, kind.name, walk.u64(), elements // kind.block * kind.width)


def _place(walk: Walk, tensors: Sequence[Tensor], alignment: int, available: int) -> None:
    """Every tensor lies inside the file, aligned, and on no other."""
    end, before = 0, ""
    for tensor in sorted(tensors, key=lambda one: one.offset):
        if tensor.offset % alignment:
            walk.refuse(f"places the tensor `{shown(tensor.name)}` off its alignment of {alignment}")
        if tensor.offset < end:
            walk.refuse(f"places the tensor `{shown(tensor.name)}` over `{shown(before)}`")
        end, before = tensor.offset + tensor.size, tensor.name
        if end > available:
            missing = end - available
            walk.refuse(f"ends {missing} bytes before the end of its tensor `{shown(before)}`")
