"""Reads a torrent that somebody else wrote, and takes only what our two recipes write: one file, household or public.

Trackers, web seeds and DHT nodes in it are dropped: whoever hands us a torrent does not choose whom we talk to. What a
hybrid says in both halves must agree as far as hashes alone can show; the bytes are held against the SHA-256 later.
A torrent's name is shown and compared; nobody joins it to a path.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, cast

from thorp.base.errors import IntegrityError
from thorp.base.printable import printable
from thorp.swarm.bencoded import BadBencodingError, Value, read
from thorp.swarm.merkle import HASH, root_of_layer
from thorp.swarm.recipes import PIECE, SHA1, Bencoded, bencode, is_piece_length

LONGEST_NAME: Final = 255  # bytes, as file systems count
LONGEST_COMMENT: Final = 4096  # bytes
MOST_BYTES: Final = 2**63 - 1
VERSION: Final = 2

HOUSEHOLD: Final = frozenset({b"length", b"name", b"piece length", b"pieces", b"private"})
PUBLIC: Final = frozenset({b"file tree", b"length", b"meta version", b"name", b"piece length", b"pieces"})
LEAF: Final = frozenset({b"length", b"pieces root"})
KEPT: Final = frozenset({b"comment", b"created by", b"info", b"piece layers"})
DROPPED: Final = frozenset(
    {b"announce", b"announce-list", b"creation date", b"encoding", b"httpseeds", b"nodes", b"url-list"}
)

_NOT_IN_NAMES: Final = re.compile(r'[/\\:<>"|?*]')  # they separate, or mean something else on Windows
_RESERVED: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
_WHY_NOT: Final = {
    b"files": "is of several files; Thorp has one torrent for each file",
    b"symlink path": "names a file that points to another one",
    b"attr": "gives its file attributes, as for padding, symbolic links or programs",
}
_SHOWN: Final = 80


class BadTorrentError(IntegrityError):
    """A torrent that is none of ours: of another shape, or with something in it that does not add up."""

    code = "swarm.bad_torrent"


class WrongTorrentError(IntegrityError):
    """A torrent, but not the one that was asked for."""

    code = "swarm.wrong_torrent"


@dataclass(frozen=True, slots=True)
class ReadTorrent:
    infohash: bytes  # SHA-1 of the info dictionary
    infohash_v2: bytes | None  # its SHA-256, of a public one
    name: str
    length: int
    piece_length: int
    pieces: bytes  # the SHA-1 of each piece, one after the other
    private: bool  # a household torrent; else a public one
    v2_root: bytes | None
    comment: str
    content: bytes  # the same torrent with nothing in it that leads elsewhere; what an engine may be given


def parse_torrent(content: bytes, *, expected: bytes | None = None) -> ReadTorrent:
    """`expected` is the infohash that was asked for: 20 bytes of v1, or 32 of v2."""
    try:
        whole = read(content)
    except BadBencodingError as error:
        raise BadTorrentError(f"This is no torrent that can be used. {error.message}") from error
    if not isinstance(whole, dict) or not isinstance(info := whole.get(b"info"), dict):
        _refuse("describes no file")
    if unknown := sorted(whole.keys() - KEPT - DROPPED):
        _refuse(f"has a part `{_shown(unknown[0])}` that no torrent of ours has")
    hashed = bencode(cast("Bencoded", info))
    infohash, infohash_v2 = hashlib.sha1(hashed, usedforsecurity=False).digest(), hashlib.sha256(hashed).digest()
    if expected is not None and expected not in (infohash, infohash_v2 if b"file tree" in info else infohash):
        raise WrongTorrentError(
            f"The torrent {expected.hex()} was asked for, and {infohash.hex()} came. It was not used."
            " Ask somebody else for it."
        )
    if b"file tree" in info:
        return _public(whole, info, infohash, infohash_v2)
    return _household(whole, info, infohash)


def with_tracker(content: bytes, announce: str) -> bytes:
    """The same torrent for other clients, which find nobody by themselves. The infohash stays."""
    whole = cast("dict[bytes, Value]", read(parse_torrent(content).content))
    return bencode(cast("Bencoded", whole | {b"announce": announce.encode()}))


def _household(whole: Mapping[bytes, Value], info: Mapping[bytes, Value], infohash: bytes) -> ReadTorrent:
    _refuse_foreign(info, HOUSEHOLD)
    if info.get(b"private") != 1:
        _refuse("is neither private to a household nor a hybrid for everybody")
    _refuse_missing(info, HOUSEHOLD)
    if info[b"piece length"] != PIECE:
        _refuse(f"has other pieces than the {PIECE} bytes of a household's torrent")
    if b"piece layers" in whole:
        _refuse("has hashes of version 2 for a file that it describes in version 1 alone")
    name, length, pieces = _file(info, PIECE)
    comment = _comment(whole)
    return ReadTorrent(infohash, None, name, length, PIECE, pieces, True, None, comment, _bare(whole))


def _public(whole: Mapping[bytes, Value], info: Mapping[bytes, Value], infohash: bytes, second: bytes) -> ReadTorrent:
    _refuse_foreign(info, PUBLIC)
    _refuse_missing(info, PUBLIC)
    if info[b"meta version"] != VERSION:
        _refuse("is of a version that is not known")
    piece = info[b"piece length"]
    if not isinstance(piece, int) or not is_piece_length(piece):
        _refuse("has pieces of a length that no client takes")
    name, length, pieces = _file(info, piece)
    root = _root(info[b"file tree"], name, length)
    _check_layers(whole.get(b"piece layers"), root, length, piece)
    comment = _comment(whole)
    return ReadTorrent(infohash, second, name, length, piece, pieces, False, root, comment, _bare(whole))


def _refuse_foreign(info: Mapping[bytes, Value], keys: frozenset[bytes]) -> None:
    for key in (*_WHY_NOT, *sorted(info)):
        if key in info and key not in keys:
            _refuse(_WHY_NOT.get(key, f"describes its file with `{_shown(key)}`, which no torrent of ours does"))


def _refuse_missing(info: Mapping[bytes, Value], keys: frozenset[bytes]) -> None:
    if missing := sorted(keys - info.keys()):
        _refuse(f"does not give the {_shown(missing[0])} of its file")


def _file(info: Mapping[bytes, Value], piece: int) -> tuple[str, int, bytes]:
    """Name, length and hashes as version 1 says them."""
    name, length, pieces = _name(info[b"name"]), info[b"length"], info[b"pieces"]
    if not isinstance(length, int) or not 0 <= length <= MOST_BYTES:
        _refuse("is of a file of an impossible length")
    if not length:
        _refuse("is of an empty file, and there is nothing to fetch")
    if not isinstance(pieces, bytes) or len(pieces) != SHA1 * -(-length // piece):
        _refuse("has more or fewer hashes than its file has pieces")
    return name, length, pieces


def _name(value: Value) -> str:
    name = _text(value, LONGEST_NAME, "name")
    if not is_file_name(name):
        _refuse(f"names its file `{_shown(name.encode())}`, which not every system could keep")
    return name


def is_file_name(name: str) -> bool:
    """Whether it is a plain name of a file, on every system, and shows as what it is. `.` and `..` end in a dot."""
    return (
        bool(name)
        and name[-1] not in ". "
        and not _NOT_IN_NAMES.search(name)
        and not _RESERVED.fullmatch(name)
        and all(unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029" for one in name)
    )


def _root(tree: Value, name: str, length: int) -> bytes:
    """Version 2 describes the same file: one leaf under the same name, of the same length."""
    if not isinstance(tree, dict) or len(tree) != 1:
        _refuse("is of several files in version 2; Thorp has one torrent for each file")
    if not isinstance(leaf := tree.get(name.encode()), dict):
        _refuse("names its file otherwise in version 2 than in version 1")
    if leaf.keys() != {b""} or not isinstance(found := leaf[b""], dict):
        _refuse("has a folder where its file should be")
    _refuse_foreign(found, LEAF)
    if found.get(b"length") != length:
        _refuse("gives its file another length in version 2 than in version 1")
    root = found.get(b"pieces root")
    if not isinstance(root, bytes) or len(root) != HASH:
        _refuse("lacks the root of its hashes")
    return root


def _check_layers(layers: "Value | None", root: bytes, length: int, piece: int) -> None:
    """A file of one piece has none; else exactly one hash for each piece, and they make the root."""
    if not isinstance(layers, dict):
        _refuse("lacks the hashes of its pieces in version 2")
    if length <= piece:
        if layers:
            _refuse("has hashes of pieces in version 2 for a file of one piece")
        return
    layer = layers.get(root)
    if len(layers) != 1 or not isinstance(layer, bytes):
        _refuse("has hashes of pieces in version 2 that are of another file")
    if len(layer) != HASH * -(-length // piece):
        _refuse("has more or fewer hashes in version 2 than its file has pieces")
    if root_of_layer(layer, piece) != root:
        _refuse("has hashes of pieces in version 2 that do not make their root")


def _comment(whole: Mapping[bytes, Value]) -> str:
    if b"created by" in whole:
        _text(whole[b"created by"], LONGEST_NAME, "maker")
    return _text(whole.get(b"comment", b""), LONGEST_COMMENT, "comment")


def _bare(whole: Mapping[bytes, Value]) -> bytes:
    return bencode(cast("Bencoded", {key: value for key, value in whole.items() if key in KEPT}))


def _text(value: Value, longest: int, what: str) -> str:
    if not isinstance(value, bytes) or len(value) > longest:
        _refuse(f"has a {what} that is none, or of more than {longest} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError:
        _refuse(f"has a {what} that is no UTF-8")


def _refuse(complaint: str) -> NoReturn:
    raise BadTorrentError(f"This torrent {complaint}. It was not used; ask somebody else for it.")


def _shown(name: bytes) -> str:
    return printable(name.decode(errors="replace")[:_SHOWN]).replace("\n", "\\n").replace("`", "'")
