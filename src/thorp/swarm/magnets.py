"""Magnet links: which torrent somebody means, and what they call it. Nothing else of a link is ever used.

Trackers, web seeds, addresses of peers and the like are dropped, so a link sends this machine nowhere.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, unquote_to_bytes

from thorp.base.errors import UsageError
from thorp.base.printable import printable
from thorp.swarm.torrents import LONGEST_NAME, is_file_name

LONGEST: Final = 16 * 1024  # characters; people's links carry dozens of trackers
MOST_PARTS: Final = 256

_BEGIN: Final = "magnet:?"
_V1: Final = "urn:btih:"
_V2: Final = "urn:btmh:"
_SHA256: Final = "1220"  # how a multihash says that 32 bytes of SHA-256 follow
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_HEX_V1, _HEX_V2 = 40, 64
_BASE32: Final = re.compile(r"[A-Za-z2-7]{32}")
_TOPIC: Final = re.compile(r"xt(?:\.[0-9]{1,3})?")
_SHOWN: Final = 32


class BadMagnetError(UsageError):
    """A link that names no torrent, or none that Thorp could fetch."""

    code = "swarm.bad_magnet"


@dataclass(frozen=True, slots=True)
class Magnet:
    infohash: bytes | None  # 20 bytes; at least one of the two is there
    infohash_v2: bytes | None  # 32 bytes
    name: str  # what somebody calls it, or empty
    dropped: tuple[str, ...] = ()  # kinds of what else stood in the link, each once


def magnet_of(infohash: bytes | None, infohash_v2: bytes | None = None, *, name: str = "") -> str:
    """The link to a torrent: its hashes and its name, and nobody's address."""
    parts = [f"xt={_V1}{infohash.hex()}"] if infohash else []
    parts += [f"xt={_V2}{_SHA256}{infohash_v2.hex()}"] if infohash_v2 else []
    if not parts:
        raise ValueError("a link names at least one infohash")
    return _BEGIN + "&".join([*parts, *([f"dn={quote(name, safe='')}"] if name else [])])


def parse_magnet(text: str) -> Magnet:
    text = text.strip()
    if len(text) > LONGEST:
        _refuse(f"is longer than {LONGEST} characters")
    if text[: len(_BEGIN)].lower() != _BEGIN:
        _refuse(f"does not begin with `{_BEGIN}`")
    parts = text[len(_BEGIN) :].split("&")
    if len(parts) > MOST_PARTS:
        _refuse(f"has more than {MOST_PARTS} parts")
    name, dropped = "", dict[str, None]()
    found: dict[int, bytes] = {}
    for key, _, value in (part.partition("=") for part in parts if part):
        if _TOPIC.fullmatch(key):
            _note(found, _infohash(_decoded(value)))
        elif key == "dn":
            name = name or _name(value)
        else:
            dropped[printable(key[:_SHOWN])] = None
    if not found:
        _refuse("names no torrent")
    return Magnet(found.get(1), found.get(2), name, tuple(dropped))


def _note(found: dict[int, bytes], one: tuple[int, bytes] | None) -> None:
    if one is not None and found.setdefault(*one) != one[1]:
        _refuse("names two different torrents")


def _infohash(topic: str) -> tuple[int, bytes] | None:
    """Version and hash; None for what is no torrent's, such as a hash of another network."""
    kind, rest = topic[: len(_V1)].lower(), topic[len(_V1) :]
    if kind == _V1:
        return 1, _v1(rest)
    if kind != _V2:
        return None
    if not rest.startswith(_SHA256) or len(rest) != len(_SHA256) + _HEX_V2 or not _HEX.fullmatch(rest):
        _refuse("has an infohash of version 2 that is no SHA-256")
    return 2, bytes.fromhex(rest[len(_SHA256) :])


def _v1(text: str) -> bytes:
    if len(text) == _HEX_V1 and _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if not _BASE32.fullmatch(text):
        _refuse("has an infohash that is neither 40 hex digits nor 32 characters of base32")
    return base64.b32decode(text, casefold=True)


def _name(value: str) -> str:
    """A name that no system could keep is none: it would only be shown, and could show as something else."""
    try:
        name = unquote_to_bytes(value.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return ""
    return name if is_file_name(name) and len(name.encode()) <= LONGEST_NAME else ""


def _decoded(value: str) -> str:
    return unquote_to_bytes(value).decode(errors="replace")


def _refuse(complaint: str) -> NoReturn:
    raise BadMagnetError(f"This magnet link {complaint}. Copy it again, or ask for another one.")
