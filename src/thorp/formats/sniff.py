"""What a file is, by its first bytes; a name helps safetensors only, which begin with nothing of their own.

Refuses pickles by their bytes and by their names: opening one runs whatever its author wished.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

from thorp.formats.errors import PickleRefusedError, UnknownFormatError
from thorp.formats.opened import mapped

CONFIG: Final = "config.json"
PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
COMPANIONS: Final = frozenset({".json", ".txt", ".md", ".model", ".jinja", ".tiktoken", ".py", ".yaml", ".yml"})
_HEAD: Final = 16
_PROTOCOLS: Final = tuple(bytes((0x80, version)) for version in range(2, 6))


class Kind(StrEnum):
    GGUF = "gguf"
    SAFETENSORS = "safetensors"
    CONFIG = "config"
    COMPANION = "companion"  # lies beside safetensors and is nothing of ours to read


def kind_of(path: Path) -> Kind:
    """What this file is to be read as. Fails with a PickleRefusedError or an UnknownFormatError."""
    ending = path.suffix.lower()
    if path.name == CONFIG:
        return Kind.CONFIG
    if ending in COMPANIONS:
        return Kind.COMPANION
    with mapped(path) as data:
        head = data[:_HEAD]
    return _weights(path.name, ending, head)


def _weights(name: str, ending: str, head: bytes) -> Kind:
    if head[:4] in (b"GGUF", b"FUGG"):
        return Kind.GGUF
    if ending in PICKLES or _is_pickle(head):
        raise PickleRefusedError(name, "is a pickle or may hold one, and pickles run code when they are opened")
    if ending == ".safetensors" or _looks_like_safetensors(head):
        return Kind.SAFETENSORS
    raise UnknownFormatError(name, "is neither GGUF nor safetensors")


def _looks_like_safetensors(head: bytes) -> bool:
    """A length that fits into 32 bits, and an object of JSON."""
    return head[4:9] == b"\0\0\0\0{"


def _is_pickle(head: bytes) -> bool:
    """As a zip file, or bare. The length before a safetensors header may begin with the same two bytes."""
    return head.startswith(b"PK") or (head[:2] in _PROTOCOLS and not _looks_like_safetensors(head))
