"""Reads every byte of an artifact and compares it with its receipt. It tells what is wrong, and changes no file."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import ThorpError
from thorp.base.files import FileFaultError, FileMissingError, FileRefusedError, explaining
from thorp.base.moments import rfc3339
from thorp.models.cache import StrangeFileError, same_file
from thorp.models.hashing import Hashes, hash_file
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.ports import Stop
from thorp.models.receipts import Receipt, ReceiptFile, read_receipt
from thorp.models.remove import refuse_away
from thorp.models.uses import filing, using
from thorp.swarm.recipes import PIECE

SHA1: Final = 20
MOST_LISTED: Final = 8
GONE: Final = "it is not there"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """Whether a file is what its receipt says."""

    path: str
    ok: bool
    problem: str = ""
    bad_pieces: tuple[int, ...] = ()  # which 16 MiB pieces differ, where that is known


@dataclass(frozen=True, slots=True)
class Read:
    """A verdict, and the piece hashes of what was read."""

    verdict: FileVerdict
    pieces: bytes = b""


def verify(
    library: Library, receipt: Receipt, *, clock: Clock, progress: Progress, stop: Stop
) -> tuple[FileVerdict, ...]:
    """How each file of an artifact is. When all are well the receipt says that they were verified now.

    The artifact cannot be removed meanwhile. Whatever is wrong, its receipt stays and nothing is removed.
    """
    refuse_away(library)
    path = library.path(receipt)
    with using(path, touching=False):
        current = read_receipt(path)
        reader = _Reader(library, current, progress, stop)
        found = tuple(reader.read(one) for one in current.files)
        well = all(one.verdict.ok for one in found)
        library.note_damage(current, damaged=not well)
        if well:
            pairs = zip(current.files, found, strict=True)
            lost = {one.sha256: read.pieces for one, read in pairs if read.pieces != reader.kept(one)}
            with filing(library.layout.receipts):
                latest = read_receipt(path)  # it may have got another name while we were reading
                library.put(replace(latest, verified_at=rfc3339(clock.wall())), lost)
    return tuple(one.verdict for one in found)


@dataclass(frozen=True, slots=True)
class _Reader:
    library: Library
    receipt: Receipt
    progress: Progress
    stop: Stop

    def read(self, file: ReceiptFile) -> Read:
        """One file, read where programs find it, and under its hash as well should that be another one."""
        layout, cache = self.library.layout, self.library.cache
        entry = layout.file(self.receipt.repo, self.receipt.revision, file.path)
        blob = layout.blob(self.receipt.repo, digest_of(file.sha256))
        target = cache.target(self.receipt.repo, entry)
        if target is None:
            return _unnamed(file, entry, self._judged(file, blob) if os.path.lexists(blob) else None)
        read = self._judged(file, target)
        if read.verdict.ok and os.path.lexists(blob) and not same_file(blob, target):
            return self._judged(file, blob)
        return read

    def kept(self, file: ReceiptFile) -> bytes | None:
        """The hashes of its pieces, where they were kept and are as many as there have to be."""
        pieces = self.library.pieces(self.receipt, file.sha256)
        return pieces if pieces is not None and len(pieces) == -(-file.size // PIECE) * SHA1 else None

    def _judged(self, file: ReceiptFile, at: Path) -> Read:
        try:
            handle = self.library.cache.open(at)
            try:
                with explaining("read", at):
                    size = os.fstat(handle).st_size
                    hashes = hash_file(handle, file.size, told=partial(self._tell, file), stop=self.stop)
            finally:
                os.close(handle)
        except (StrangeFileError, FileMissingError, FileRefusedError, FileFaultError) as error:
            return Read(FileVerdict(file.path, ok=False, problem=_unread(at, error)))
        return Read(judge(file, size, hashes, self.kept(file)), hashes.pieces)

    def _tell(self, file: ReceiptFile, done: int) -> None:
        self.progress(file.path, done, file.size)


def _unnamed(file: ReceiptFile, entry: Path, read: Read | None) -> Read:
    """A file whose name in its snapshot leads nowhere, or somewhere else."""
    if read is not None and not read.verdict.ok:
        return read
    if os.path.lexists(entry):
        problem = f"`{entry}` leads out of its repository or is no file; what it leads to was not read"
    elif read is None:
        problem = GONE
    else:
        problem = f"its bytes are whole, but `{entry}` is gone, so other programs do not find them"
    return Read(FileVerdict(file.path, ok=False, problem=problem))


def _unread(at: Path, error: ThorpError) -> str:
    match error:
        case StrangeFileError():
            return f"`{at}` is a link or no ordinary file; what it leads to was not read"
        case FileMissingError():
            return GONE
        case FileRefusedError():
            return f"this user may not read `{at}`"
        case _:
            return f"the disk failed while reading `{at}`"


def judge(file: ReceiptFile, size: int, hashes: Hashes, pieces: bytes | None) -> FileVerdict:
    """What the hashes of a file, so many bytes long now, say about it."""
    if size == file.size and hashes.size == size and hashes.sha256 == file.sha256:
        return FileVerdict(file.path, ok=True)
    bad = different(pieces, hashes.pieces) if pieces is not None else ()
    return FileVerdict(file.path, ok=False, problem=_problem(file, size, hashes, bad), bad_pieces=bad)


def different(expected: bytes, found: bytes) -> tuple[int, ...]:
    """The numbers of the pieces that are not as they were, missing ones too."""
    return tuple(
        number
        for number in range(len(expected) // SHA1)
        if expected[number * SHA1 : (number + 1) * SHA1] != found[number * SHA1 : (number + 1) * SHA1]
    )


def _problem(file: ReceiptFile, size: int, hashes: Hashes, bad: tuple[int, ...]) -> str:
    if min(size, hashes.size) < file.size:
        return f"it is {file.size - min(size, hashes.size)} bytes too short"
    if size > file.size:
        inside = "" if hashes.sha256 == file.sha256 else ", and the rest differs, too"
        return f"it is {size - file.size} bytes too long{inside}"
    zeros = _zeros(file.size, hashes.pieces)
    if len(zeros) == -(-file.size // PIECE):
        return "it holds only zeros, as after a power cut before the disk had written it"
    if among := tuple(sorted(zeros & set(bad))):
        return f"of it {_listed(among)} hold only zeros, as after a power cut; different: {_listed(bad)}"
    return "it holds other bytes than when it was fetched" + (f": {_listed(bad)}" if bad else "")


def _zeros(size: int, pieces: bytes) -> frozenset[int]:
    """The numbers of the pieces that hold nothing but zeros."""
    full, rest = divmod(size, PIECE)
    expected = _of_zeros(PIECE) * full + (_of_zeros(rest) if rest else b"")
    return frozenset(range(len(expected) // SHA1)) - frozenset(different(expected, pieces))


def _of_zeros(size: int) -> bytes:
    return hashlib.sha1(bytes(size), usedforsecurity=False).digest()


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(str(one) for one in numbers[:MOST_LISTED])
    more = f" and {len(numbers) - MOST_LISTED} more" if len(numbers) > MOST_LISTED else ""
    return f"{'piece' if len(numbers) == 1 else 'pieces'} {shown}{more}"
