"""Writes a model into one file for a USB stick: a plain tar whose first member says what has to follow, to the byte.

The file gets its name when all of it is on the disk and every byte was proven on the way; else nothing is left.
"""

import errno
import hashlib
import json
import os
import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, NotRequired, TypedDict, Unpack

from thorp.base.errors import IntegrityError, NotFoundError
from thorp.base.files import DISK, Draft, FileTakenError, replacing
from thorp.models.adopt_files import Progress
from thorp.models.hashing import STEP, HashingEndedError
from thorp.models.library import Library, exact_ref
from thorp.models.ports import Stop
from thorp.models.receipts import Receipt, ReceiptFile, read_receipt, receipt_text
from thorp.models.room import NoRoomError, check_room
from thorp.models.uses import using

SCHEMA: Final = 1
MANIFEST: Final = "thorp-bundle.json"
RECEIPT: Final = "receipt.json"
FILES: Final = "files/"
PIECES: Final = "pieces/"
HEADER_ROOM: Final = 4096  # at most, of a member's headers and what fills its last block


class NotThereError(NotFoundError):
    """A model that is to be exported is not whole."""

    code = "models.not_whole"


class DamagedFileError(IntegrityError):
    """A file of the library has other bytes than its receipt says."""

    code = "models.damaged_file"


class Wishes(TypedDict):
    """How a bundle is written."""

    progress: Progress
    stop: Stop
    overwrite: NotRequired[bool]


def export_bundle(library: Library, receipt: Receipt, target: Path, **wishes: Unpack[Wishes]) -> int:
    """Write a model to `target`; answers how many bytes it takes. The model cannot be removed meanwhile."""
    overwrite = wishes.get("overwrite", False)
    refuse_taken(target, overwrite=overwrite)
    path = library.path(receipt)
    with using(path):
        current = replace(read_receipt(path), aliases=())  # names of the owner's own stay at home
        parts = tuple(_parts(library, current))
        check_room(target.parent, sum(one.size + HEADER_ROOM for one in parts))
        with _file_size_told(target), _becoming(target, overwrite=overwrite) as draft:
            _Export(library, current, wishes["progress"], wishes["stop"]).write(parts, draft)
            size = os.fstat(draft.handle).st_size
    return size


def refuse_taken(target: Path, *, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(target):
        raise FileTakenError(
            f"`{target}` is there already and was not touched. Choose another name, or say that it may be replaced.",
            path=str(target),
        )


def manifest_text(receipt: bytes, files: tuple[tuple[ReceiptFile, bool], ...]) -> bytes:
    """The first member; each file with whether the hashes of its pieces come along."""
    said = {
        "schema": SCHEMA,
        "receipt": {"name": RECEIPT, "size": len(receipt), "sha256": hashlib.sha256(receipt).hexdigest()},
        "files": [
            {
                "path": one.path,
                "size": one.size,
                "sha256": one.sha256,
                "pieces": f"{PIECES}{one.sha256}.pieces" if has_pieces else None,
            }
            for one, has_pieces in files
        ],
    }
    return json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class _Part:
    """One member: bytes that are at hand, or a file of the model."""

    name: str
    size: int
    data: bytes = b""
    file: ReceiptFile | None = None


def _parts(library: Library, receipt: Receipt) -> Iterator[_Part]:
    text = receipt_text(receipt)
    pieces = {one.sha256: library.pieces(receipt, one.sha256) for one in receipt.files}
    manifest = manifest_text(text, tuple((one, pieces[one.sha256] is not None) for one in receipt.files))
    yield _Part(MANIFEST, len(manifest), manifest)
    yield _Part(RECEIPT, len(text), text)
    for digest, hashes in pieces.items():
        if hashes is not None:
            yield _Part(f"{PIECES}{digest}.pieces", len(hashes), hashes)
    for one in receipt.files:
        yield _Part(f"{FILES}{one.path}", one.size, file=one)


@dataclass(frozen=True, slots=True)
class _Export:
    library: Library
    receipt: Receipt
    progress: Progress
    stop: Stop

    def write(self, parts: tuple[_Part, ...], draft: Draft) -> None:
        with os.fdopen(draft.handle, "wb", STEP, closefd=False) as out:
            for part in parts:
                info = tarfile.TarInfo(part.name)
                info.size, info.mode = part.size, 0o644
                out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
                if part.file is None:
                    out.write(part.data)
                else:
                    self._copy(part.file, out)
                out.write(bytes(-part.size % tarfile.BLOCKSIZE))
            out.write(bytes(2 * tarfile.BLOCKSIZE))
            out.write(bytes(-out.tell() % tarfile.RECORDSIZE))

    def _copy(self, file: ReceiptFile, out: BinaryIO) -> None:
        """All bytes of a file of the library, proven by the end."""
        title = exact_ref(self.receipt)
        at = self.library.cache.find(self.receipt.repo, self.receipt.revision, file)
        if at is None:
            raise NotThereError(
                f"`{file.path}` of {title} is not there, or has another size. `thorp models repair` gets it.",
                path=file.path,
            )
        handle = self.library.cache.open(at)
        try:
            found = self._through(handle, file, out)
        finally:
            os.close(handle)
        if found != file.sha256:
            raise DamagedFileError(
                f"`{file.path}` of {title} is damaged: its bytes are not what its receipt says. Nothing was exported. "
                "`thorp models repair` fetches what is wrong.",
                path=file.path,
            )

    def _through(self, handle: int, file: ReceiptFile, out: BinaryIO) -> str:
        """Exactly as many bytes as promised; their hash tells whether they were the right ones."""
        hasher, done = hashlib.sha256(), 0
        while done < file.size and (data := os.read(handle, min(STEP, file.size - done))):
            if self.stop.is_set():
                raise HashingEndedError("Exporting was ended before it was through. Nothing was left; run it again.")
            hasher.update(data)
            out.write(data)
            done += len(data)
            self.progress(file.path, done, file.size)
        return hasher.hexdigest()


@contextmanager
def _becoming(target: Path, *, overwrite: bool) -> Generator[Draft]:
    """A draft that gets its name last. Without `overwrite` the name is taken in one step that nobody can share.

    No link is made for that, as sticks know none.
    """
    taken = False
    try:
        with replacing(DISK, target, 0o644) as draft:
            yield draft
            if not overwrite:
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                taken = True
    except BaseException:
        if taken and target.lstat().st_size == 0:
            target.unlink()
        raise


@contextmanager
def _file_size_told(target: Path) -> Generator[None]:
    """FAT holds no file of 4 GiB, and says it in a word that nobody knows."""
    try:
        yield
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            raise NoRoomError(
                f"The disk of `{target}` cannot hold a file that large; FAT ends at 4 GiB. Nothing was left there. "
                "Format the stick as exFAT, or choose another disk.",
                path=str(target),
            ) from error
        raise
