"""Magnet links: which torrent is meant, and what it is called."""

from typing import Final
from urllib.parse import quote

_BEGIN: Final = "magnet:?"
_V1: Final = "urn:btih:"
_V2: Final = "urn:btmh:"
_SHA256: Final = "1220"  # how a multihash says that 32 bytes of SHA-256 follow


def magnet_of(infohash: bytes | None, infohash_v2: bytes | None = None, *, name: str = "") -> str:
    """The link to a torrent: its hashes and its name, and nobody's address."""
    parts = [f"xt={_V1}{infohash.hex()}"] if infohash else []
    parts += [f"xt={_V2}{_SHA256}{infohash_v2.hex()}"] if infohash_v2 else []
    if not parts:
        raise ValueError("a link names at least one infohash")
    return _BEGIN + "&".join([*parts, *([f"dn={quote(name, safe='')}"] if name else [])])
