"""How a torrent is written, to the byte: whoever has the same bytes under the same name makes the same infohash.

Two recipes: household (v1, private) and public (hybrid of v1 and v2). Pure: hashes come in, a torrent comes out.
Nothing is read, and no engine is asked.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, TypeAlias

from thorp.base.errors import UsageError
from thorp.swarm.bencoded import LARGEST
from thorp.swarm.merkle import BLOCK, Tree

PIECE: Final = 16 * 1024 * 1024
SHA1: Final = 20  # bytes of one hash
SHA256: Final = 32
HEADROOM: Final = 64 * 1024  # for what else stands in a torrent
CREATOR: Final = "bt/1"
CARD: Final = frozenset({"format", "model_id", "revision", "source"})
LARGEST_PIECE: Final = 64 * 1024 * 1024

Bencoded: TypeAlias = "int | bytes | str | Sequence[Bencoded] | Mapping[str, Bencoded] | Mapping[bytes, Bencoded]"


class BadNameError(UsageError):
    """A file name that cannot stand in a torrent."""

    code = "swarm.bad_name"


class BadPieceLengthError(UsageError):
    """A piece length that no client would take."""

    code = "swarm.bad_piece_length"


@dataclass(frozen=True, slots=True)
class Torrent:
    infohash: bytes  # SHA-1 of the info dictionary
    content: bytes  # the whole `.torrent` file
    infohash_v2: bytes | None = None  # its SHA-256, where the torrent is a hybrid


def household_torrent(name: str, length: int, pieces: bytes, *, card: Mapping[str, str]) -> Torrent:
    """For one file, private to the house. The card says what it is and stays outside of what is hashed."""
    check_name(name)
    _check_pieces(length, pieces, PIECE)
    info: dict[str, Bencoded] = {
        "length": length,
        "name": name,
        "piece length": PIECE,
        "pieces": pieces,
        "private": 1,
    }
    content = bencode({"comment": comment_of(card), "created by": CREATOR, "info": info})
    return Torrent(hashlib.sha1(bencode(info), usedforsecurity=False).digest(), content)


def public_torrent(name: str, length: int, pieces: bytes, leaves: Tree, *, card: Mapping[str, str]) -> Torrent:
    """For one file and for everybody. The card stays outside of what is hashed."""
    check_name(name)
    piece = leaves.piece
    check_piece_length(piece)
    check_pieces_fit(length, piece)
    _check_pieces(length, pieces, piece)
    if leaves.length != length:
        raise ValueError("the tree of hashes is of a file of another length")
    info: dict[str, Bencoded] = {
        "file tree": {name: {"": {"length": length} | ({"pieces root": leaves.root} if length else {})}},
        "length": length,
        "meta version": 2,
        "name": name,
        "piece length": piece,
        "pieces": pieces,
    }
    layers: dict[bytes, Bencoded] = {leaves.root: leaves.layer} if leaves.layer else {}
    whole: dict[str, Bencoded] = {
        "comment": comment_of(card),
        "created by": CREATOR,
        "info": info,
        "piece layers": layers,
    }
    hashed = bencode(info)
    infohash = hashlib.sha1(hashed, usedforsecurity=False).digest()
    return Torrent(infohash, bencode(whole), hashlib.sha256(hashed).digest())


def comment_of(card: Mapping[str, str]) -> str:
    """The card as it stands in a torrent, outside of what is hashed."""
    if frozenset(card) != CARD:
        raise ValueError("a card names format, model_id, revision and source, and nothing else")
    return json.dumps(dict(card), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def check_piece_length(piece: int) -> None:
    if not is_piece_length(piece):
        raise BadPieceLengthError(
            f"A piece of {piece} bytes is none that clients take. Give a power of two from {BLOCK} to {LARGEST_PIECE}."
        )


def do_pieces_fit(length: int, piece: int) -> bool:
    """Whether a public torrent in such pieces is one that nodes read."""
    return -(-length // piece) * (SHA1 + SHA256) <= LARGEST - HEADROOM


def check_pieces_fit(length: int, piece: int) -> None:
    if not do_pieces_fit(length, piece):
        raise BadPieceLengthError(
            f"In pieces of {piece} bytes, {length} bytes make a torrent larger than the {LARGEST} that nodes read."
            " Take larger pieces: `--piece-length`."
        )


def is_piece_length(piece: int) -> bool:
    return BLOCK <= piece <= LARGEST_PIECE and piece.bit_count() == 1


def _check_pieces(length: int, pieces: bytes, piece: int) -> None:
    if len(pieces) != SHA1 * -(-length // piece):
        raise ValueError("the hashes of the pieces do not match the length of the file")


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
            for key, item in sorted(_keyed(value), key=itemgetter(0)):
                yield from _parts(key)
                yield from _parts(item)
            yield b"e"
        case _:
            yield b"l"
            for item in value:
                yield from _parts(item)
            yield b"e"


def _keyed(value: Mapping[str, Bencoded] | Mapping[bytes, Bencoded]) -> Iterator[tuple[bytes, Bencoded]]:
    for key, item in value.items():
        yield key if isinstance(key, bytes) else key.encode(), item
