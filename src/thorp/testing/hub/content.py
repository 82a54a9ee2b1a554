"""What a file of the fake hub is made of: bytes, or a file on disk that never enters memory, and the names it has."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

LFS_ABOVE: Final = 10_000  # bytes; what is larger lies on the CDN


@dataclass(frozen=True, slots=True)
class Content:
    """One version of one file."""

    source: bytes | Path
    length: int  # as it is
    size: int  # as the hub says; the same, unless a test makes it lie
    sha256: str
    blob: str  # git's SHA-1: of the bytes, or of the pointer that stands for them
    pointer: int | None = None  # bytes of that pointer; None: git keeps the bytes themselves

    @property
    def is_large(self) -> bool:
        return self.pointer is not None

    @property
    def object(self) -> str:
        """What the CDN calls it: 64 hex digits that are not its SHA-256, as with Xet."""
        return hashlib.sha256(b"object\0" + self.sha256.encode()).hexdigest()

    def part(self, first: int = 0, end: int | None = None) -> "Part":
        return Part(self.source, first, self.length if end is None else end)

    def claiming(self, *, size: int | None = None, sha256: str | None = None) -> "Content":
        """The same bytes with something untrue said about them."""
        size = self.size if size is None else size
        sha256 = self.sha256 if sha256 is None else sha256
        if self.is_large:
            return _large(self.source, self.length, size, sha256)
        return replace(self, size=size, sha256=sha256)


def content_of(source: bytes | Path, lfs_above: int = LFS_ABOVE) -> Content:
    """Look at bytes or a file once; what is larger than `lfs_above` counts as kept by LFS."""
    if isinstance(source, bytes):
        length, sha256 = len(source), hashlib.sha256(source).hexdigest()
    else:
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            length = file.tell()
    if length > lfs_above:
        return _large(source, length, length, sha256)
    small = source if isinstance(source, bytes) else source.read_bytes()
    return Content(source, length, length, sha256, git_blob(small))


def _large(source: bytes | Path, length: int, size: int, sha256: str) -> Content:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return Content(source, length, size, sha256, git_blob(text), len(text))


def git_blob(data: bytes) -> str:
    """The name git gives to these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a source, still where they lie."""

    source: bytes | Path
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first

    def read(self) -> bytes:
        if isinstance(self.source, bytes):
            return self.source[self.first : self.end]
        with self.source.open("rb") as file:
            file.seek(self.first)
            return file.read(len(self))


Body = tuple[Part, ...]


def body_of(data: bytes) -> Body:
    return (Part(data, 0, len(data)),) if data else ()


def length_of(body: Body) -> int:
    return sum(len(part) for part in body)


def bytes_of(body: Body) -> bytes:
    return b"".join(part.read() for part in body)


def split(body: Body, at: int) -> tuple[Body, Body]:
    """The first `at` bytes, and the rest."""
    before: list[Part] = []
    after: list[Part] = []
    for part in body:
        middle = max(part.first, min(part.end, part.first + at))
        before += _some(part, part.first, middle)
        after += _some(part, middle, part.end)
        at -= middle - part.first
    return tuple(before), tuple(after)


def _some(part: Part, first: int, end: int) -> Iterable[Part]:
    return (Part(part.source, first, end),) if first < end else ()


def flipped(body: Body, at: int, count: int) -> Body:
    """The same with every bit of `count` bytes turned over, from `at` on."""
    before, rest = split(body, at)
    wrong, after = split(rest, count)
    return (*before, *body_of(bytes(byte ^ 0xFF for byte in bytes_of(wrong))), *after)


def blocks(body: Body, size: int) -> Iterator[Part]:
    """The same in parts of at most `size` bytes."""
    for part in body:
        for first in range(part.first, part.end, size):
            yield Part(part.source, first, min(first + size, part.end))
