"""Reads a plain tar from front to back. It knows files and nothing else.

Refuses links, devices, folders, sparse files, long headers, and everything behind the end; it never seeks and builds
nothing that the archive says how large to make.
"""

import tarfile
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

from thorp.base.errors import IntegrityError

BLOCK: Final = 512
LONGEST_EXTENSION: Final = 16 * 1024
LONGEST_END: Final = 64 * 1024  # zeros behind the last member
KNOWN: Final = frozenset({"path", "size"})
MAGIC_AT: Final = 257


class BadBundleError(IntegrityError):
    """A bundle that is not what `thorp models export` writes, or was changed since."""

    code = "models.bad_bundle"


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    size: int


def begins_as(head: bytes, name: str) -> bool:
    """Whether the first block of a file is the header of this member."""
    return head[:100].rstrip(b"\0") == name.encode() and head[MAGIC_AT : MAGIC_AT + 5] == b"ustar"


class TarReader:
    def __init__(self, file: BinaryIO, title: str) -> None:
        self._file = file
        self.title = title
        self._rest = 0  # bytes of the present member
        self._fill = 0  # what fills its last block

    def next(self) -> Member | None:
        """The next file; None at the end of the archive, behind which nothing may stand."""
        self._pass_over()
        header = self._header()
        if header is None:
            return None
        said: dict[str, str] = {}
        if header.type == tarfile.XHDTYPE:
            said = self._extension(header.size)
            header = self._header()
        if header is None or header.type != tarfile.REGTYPE:
            self.refuse("holds something else than plain files, like a link or a device")
        return self._member(header, said)

    def read(self, most: int) -> bytes:
        """Bytes of the present member; none at its end."""
        data = self._exactly(min(most, self._rest))
        self._rest -= len(data)
        return data

    def refuse(self, complaint: str) -> NoReturn:
        raise BadBundleError(f"`{self.title}` {complaint}. Nothing was imported; export the model again.")

    def _member(self, header: tarfile.TarInfo, said: dict[str, str]) -> Member:
        size = header.size
        if "size" in said:
            if not said["size"].isascii() or not said["size"].isdigit() or len(said["size"]) > len(str(2**63)):
                self.refuse("gives a file a size that is no number")
            size = int(said["size"])
        if size < 0:
            self.refuse("gives a file a negative size")
        self._rest, self._fill = size, -size % BLOCK
        return Member(said.get("path", header.name), size)

    def _header(self) -> tarfile.TarInfo | None:
        block = self._exactly(BLOCK)
        if not any(block):
            self._expect_end()
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.TarError, ValueError):
            self.refuse("is damaged: what stands before one of its files makes no sense")

    def _extension(self, size: int) -> dict[str, str]:
        """Records `length key=value`, as POSIX has them."""
        if not 0 < size <= LONGEST_EXTENSION:
            self.refuse("has a header that is too long")
        data = self._exactly(size)
        self._exactly(-size % BLOCK)
        found: dict[str, str] = {}
        while data:
            length, space, _ = data.partition(b" ")
            if not space or not length.isdigit() or not len(length) + 2 < int(length[:8]) <= len(data):
                self.refuse("has a header that makes no sense")
            record, data = data[len(length) + 1 : int(length)], data[int(length) :]
            key, equals, value = record.removesuffix(b"\n").decode(errors="replace").partition("=")
            if not equals or not record.endswith(b"\n") or key not in KNOWN or key in found:
                self.refuse("has a header that Thorp does not write")
            found[key] = value
        return found

    def _pass_over(self) -> None:
        if self._rest:
            self.refuse("was not read to the end of a file")
        if any(self._exactly(self._fill)):
            self.refuse("has bytes between two files")
        self._fill = 0

    def _expect_end(self) -> None:
        rest = self._file.read(LONGEST_END + 1)
        if len(rest) > LONGEST_END or any(rest) or len(rest) < BLOCK:
            self.refuse("does not end where its last file ends")

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count) if count else b""
        if len(data) < count:
            self.refuse("ends too early; it was not copied to its end")
        return data
