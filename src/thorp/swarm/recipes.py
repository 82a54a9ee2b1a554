"""How a torrent is written, to the byte: whoever has the same bytes under the same name makes the same infohash.

Pure: hashes come in, a torrent comes out. Nothing is read, and no engine is asked.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from thorp.base.errors import UsageError

PIECE: Final = 16 * 1024 * 1024
SHA1: Final = 20  # bytes of one hash
CREATOR: Final = "bt/1"
CARD: Final = frozenset({"format", "model_id", "revision", "source"})

Bencoded: TypeAlias = "int | bytes | str | Sequence[Bencoded] | Mapping[str, Bencoded]"


class BadNameError(UsageError):
    """A file name that cannot stand in a torrent."""

    code = "swarm.bad_name"


@dataclass(frozen=True, slots=True)
class Torrent:
    infohash: bytes  # SHA-1 of the info dictionary
    content: bytes  # the whole `.torrent` file


def household_torrent(name: str, length: int, pieces: bytes, *, card: Mapping[str, str]) -> Torrent:
    """For one file, private to the house. The card says what it is and stays outside of what is hashed."""
    check_name(name)
    if len(pieces) != SHA1 * -(-length // PIECE):
        raise ValueError("the hashes of the pieces do not match the length of the file")
    if frozenset(card) != CARD:
        raise ValueError("a card names format, model_id, revision and source, and nothing else")
    info: dict[str, Bencoded] = {
        "length": length,
        "name": name,
        "piece length": PIECE,
        "pieces": pieces,
        "private": 1,
    }
    comment = json.dumps(dict(card), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content = bencode({"comment": comment, "created by": CREATOR, "info": info})
    return Torrent(hashlib.sha1(bencode(info), usedforsecurity=False).digest(), content)


def check_name(name: str) -> None:
    """A torrent's name is a file name wherever it arrives, so it must not lead out of its folder anywhere."""
    if name in ("", ".", "..") or any(one in name for one in "/\\\0") or not is_text(name):
        raise BadNameError(f"{name!r} cannot be the name of a shared file. Rename the file and try again.")


def is_text(name: str) -> bool:
    """Whether it can be written as UTF-8; names of files on Linux need not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def bencode(value: Bencoded) -> bytes:
    """The one canonical form: keys in the order of their bytes, numbers without leading zeros."""
    return b"".join(_parts(value))


def _parts(value: Bencoded) -> Iterator[bytes]:
    match value:
        case bool():
            raise TypeError("bencoding has no truth values")
        case int():
            yield b"i%de" % value
        case bytes():
            yield b"%d:" % len(value)
            yield value
        case str():
            yield from _parts(value.encode())
        case Mapping():
            yield b"d"
            for key, item in sorted((key.encode(), item) for key, item in value.items()):
                yield from _parts(key)
                yield from _parts(item)
            yield b"e"
        case _:
            yield b"l"
            for item in value:
                yield from _parts(item)
            yield b"e"
