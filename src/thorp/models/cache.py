"""The models folder on disk: blobs that get their names after their hash is proven, and the names that lead to them.

It keeps the layout of huggingface_hub, so that other programs find the files. It never follows a link that leads
elsewhere, and never removes a blob that anything else still names.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from thorp.base.errors import IntegrityError
from thorp.base.files import DISK, explaining, write_atomically
from thorp.models.layout import Layout, digest_of, link_target, linked_digest
from thorp.models.links import DISK_LINKS, How, Links, second_name
from thorp.models.receipts import Receipt, ReceiptFile

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: nobody writes to this pipe
FOLDER_MODE: Final = 0o755  # as huggingface_hub makes them: other programs of this user read here


class StrangeFileError(IntegrityError):
    """Something in the models folder is not what it has to be: a link that leads elsewhere, a device."""

    code = "models.strange_file"


def refuse_links(folder: Path, top: Path) -> None:
    """Fail when a link stands where a folder of ours has to be, from `top` down to `folder`."""
    for one in (folder, *folder.parents):
        if one.is_symlink():
            raise StrangeFileError(
                f"`{one}` is a link, and Thorp's own folders are none. Nothing was touched; look at who put it there.",
                path=str(one),
            )
        if one == top:
            return


class Cache:
    def __init__(self, layout: Layout, links: Links = DISK_LINKS) -> None:
        self.layout = layout
        self._links = links

    def has_blob(self, repo: str, digest: bytes, size: int) -> bool:
        """Whether a whole file of this size stands under this hash. Its content was proven when it got the name."""
        return _is_file(self.layout.blob(repo, digest), size)

    def find(self, repo: str, revision: str, file: ReceiptFile) -> Path | None:
        """Where the bytes of a receipt's file lie; None when they are gone or have another size."""
        at = self.layout.blob(repo, digest_of(file.sha256))
        if _is_file(at, file.size):
            return at
        at = self.target(repo, self.layout.file(repo, revision, file.path))
        return at if at is not None and _is_file(at, file.size) else None

    def target(self, repo: str, entry: Path) -> Path | None:
        """What an entry of a snapshot leads to: a blob of its own repository, or itself; None for everything else."""
        try:
            mode = entry.lstat().st_mode
        except OSError:
            return None
        if stat.S_ISREG(mode):
            return entry
        digest = linked_digest(str(entry.readlink())) if stat.S_ISLNK(mode) else None
        return None if digest is None else self.layout.blob(repo, digest)

    def open(self, path: Path) -> int:
        """A handle to read a stored file. Folders are opened one by one, so that nobody exchanges one in between."""
        with explaining("read", path):
            folder, names = self._start(path)
            try:
                for name in names:
                    folder, above = os.open(name, FOLDER, dir_fd=folder), folder
                    os.close(above)
                handle = os.open(path.name, FILE, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                    raise strange(path) from error
                raise
            finally:
                os.close(folder)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise strange(path)
        return handle

    def _start(self, path: Path) -> tuple[int, tuple[str, ...]]:
        """A handle of a folder to begin at, and the names that lead on from there."""
        if not path.is_relative_to(self.layout.hub):
            return os.open(path.parent, FOLDER), ()
        below = path.parent.relative_to(self.layout.hub).parts
        # A repository's own folder may be a link: people move large ones to another disk.
        return os.open(self.layout.hub.joinpath(*below[:1]), FOLDER & ~os.O_NOFOLLOW), below[1:]

    def keep(self, repo: str, digest: bytes, data: Path) -> Path:
        """Give proven bytes, already on disk, their final name. `data` lies on the same file system and is gone after.

        It takes the place of what stands there, which is the same, or damaged.
        """
        blob = self.layout.blob(repo, digest)
        refuse_links(blob.parent, self.layout.repo(repo))
        with explaining("keep", blob):
            self._make(blob.parent)
            data.chmod(0o644)
            data.replace(blob)
            DISK.sync_folder(blob.parent)
        return blob

    def adopt(self, repo: str, digest: bytes, source: Path, *, copies: bool) -> How | None:
        """Take proven bytes that lie elsewhere. None: it would take a copy, and none is wanted."""
        blob = self.layout.blob(repo, digest)
        draft = blob.with_name(f".{blob.name}.adopting")
        with explaining("keep", blob):
            self._make(blob.parent)
            draft.unlink(missing_ok=True)
            how = second_name(source, draft, self._links, copies=copies)
            if how is not None:
                draft.replace(blob)
                draft.unlink(missing_ok=True)  # it stays where both are one file already
                DISK.sync_folder(blob.parent)
        return how

    def enter(self, repo: str, revision: str, path: str, digest: bytes) -> Path:
        """The name under which programs find a blob. Where the disk knows no links, the blob itself moves there."""
        entry, blob = self.layout.file(repo, revision, path), self.layout.blob(repo, digest)
        refuse_links(entry.parent, self.layout.repo(repo))
        with explaining("enter", entry):
            there = self.target(repo, entry)
            if there == blob or (there == entry and (same_file(entry, blob) or not blob.exists())):
                return entry
            self._make(entry.parent)
            draft = entry.with_name(f".{entry.name}.entering")
            draft.unlink(missing_ok=True)
            if not (self._links.symlink(link_target(path, digest), draft) or self._links.hard_link(blob, draft)):
                draft = blob
            draft.replace(entry)
            DISK.sync_folder(entry.parent)
        return entry

    def point(self, repo: str, branch: str, revision: str) -> None:
        """What `branch` stands for, as huggingface_hub keeps it for times without a network."""
        at = self.layout.ref(repo, branch)
        with explaining("write", at):
            self._make(at.parent)
        write_atomically(DISK, at, revision.encode(), 0o644)

    def _make(self, folder: Path) -> None:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def whole(cache: Cache, receipt: Receipt) -> str:
    """Why an artifact is not complete; empty when each of its files stands there with its size."""
    for file in receipt.files:
        if cache.find(receipt.repo, receipt.revision, file) is None:
            return f"`{file.path}` is not there, or is not {file.size} bytes long"
    return ""


def _is_file(path: Path, size: int) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def strange(path: Path) -> StrangeFileError:
    return StrangeFileError(f"`{path}` is no ordinary file. Nothing was read; look at what put it there.")


def same_file(one: Path, other: Path) -> bool:
    """Whether two names lead to one file; links are not followed."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False
