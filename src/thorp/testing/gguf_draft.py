"""GGUF bytes by hand, as right or as wrong as a test wants them; a whole file is held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from struct import Struct, pack
from typing import Final

UINT8: Final = 0
UINT16: Final = 2
UINT32: Final = 4
INT32: Final = 5
FLOAT32: Final = 6
BOOL: Final = 7
STRING: Final = 8
ARRAY: Final = 9
UINT64: Final = 10

F32: Final = 0
F16: Final = 1
I8: Final = 24
WIDTHS: Final = {F32: 4, F16: 2, I8: 1}
ALIGNMENT: Final = 32
NARROW: Final = Struct("<I")
WIDE: Final = Struct("<Q")

_LETTERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A value whose kind the file shall name as it stands here."""

    kind: int
    value: object


@dataclass(frozen=True, slots=True)
class Items:
    """An array of this kind; the items of an array of arrays are `Items`."""

    kind: int
    items: Sequence[object]
    claimed: int | None = None  # how many the file says there are


Plain = bool | int | float | str | Typed | Items


@dataclass(frozen=True, slots=True)
class DraftTensor:
    name: str
    shape: tuple[int, ...]
    kind: int = F32
    data: bytes | None = None  # zeros
    offset: int | None = None  # behind the one before
    claimed_kind: int | None = None

    @property
    def body(self) -> bytes:
        return bytes(prod(self.shape) * WIDTHS[self.kind]) if self.data is None else self.data


@dataclass(frozen=True, slots=True)
class GgufDraft:
    """A file to be written. `claimed_…` is what its header says instead of the truth."""

    keys: Sequence[tuple[str, Plain]] = ()
    tensors: Sequence[DraftTensor] = ()
    version: int = 3
    alignment: int = ALIGNMENT  # of the data; `general.alignment` is a key like any other
    claimed_keys: int | None = None
    claimed_tensors: int | None = None

    @property
    def _length(self) -> Struct:
        return NARROW if self.version == 1 else WIDE

    def whole(self) -> bytes:
        """The bytes of the file."""
        return b"".join((self.header(), *(self._padded(tensor.body) for tensor in self.tensors)))

    def header(self) -> bytes:
        """Everything before the data, with the padding."""
        tensors = len(self.tensors) if self.claimed_tensors is None else self.claimed_tensors
        keys = len(self.keys) if self.claimed_keys is None else self.claimed_keys
        parts = [b"GGUF", pack("<I", self.version), self._length.pack(tensors), self._length.pack(keys)]
        parts += [self.text(key) + self._keyed(value) for key, value in self.keys]
        return self._padded(b"".join((*parts, *self._described())))

    def text(self, text: str) -> bytes:
        body = text.encode(errors="surrogateescape")
        return self._length.pack(len(body)) + body

    def with_keys(self, *keys: tuple[str, Plain]) -> "GgufDraft":
        return replace(self, keys=(*self.keys, *keys))

    def _padded(self, body: bytes) -> bytes:
        return body + bytes(-len(body) % self.alignment)

    def _keyed(self, value: Plain) -> bytes:
        kind, bare = _kind_of(value)
        return pack("<I", kind) + self._value(kind, bare)

    def _value(self, kind: int, value: object) -> bytes:
        if isinstance(value, Items):
            count = len(value.items) if value.claimed is None else value.claimed
            items = (self._value(value.kind, item) for item in value.items)
            return b"".join((pack("<I", value.kind), self._length.pack(count), *items))
        if isinstance(value, str):
            return self.text(value)
        return value if isinstance(value, bytes) else pack(f"<{_LETTERS[kind]}", value)

    def _described(self) -> list[bytes]:
        offset, found = 0, list[bytes]()
        for tensor in self.tensors:
            place = offset if tensor.offset is None else tensor.offset
            kind = tensor.kind if tensor.claimed_kind is None else tensor.claimed_kind
            shape = b"".join(self._length.pack(one) for one in tensor.shape)
            name = self.text(tensor.name)
            found.append(name + pack("<I", len(tensor.shape)) + shape + pack("<IQ", kind, place))
            offset += len(self._padded(tensor.body))
        return found


def _kind_of(value: Plain) -> tuple[int, object]:
    match value:
        case Typed():
            return value.kind, value.value
        case Items():
            return ARRAY, value
        case bool():
            return BOOL, value
        case int():
            return UINT32, value
        case float():
            return FLOAT32, value
        case _:
            return STRING, value
