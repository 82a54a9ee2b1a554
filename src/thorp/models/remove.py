"""Takes an artifact out of the library: its receipt, its names, and the bytes that nothing else needs.

The order makes every state legal in which the machine may end in between:

1. The receipt gets another name, `removing.json`, in one step. From here the library does not have the model, so no
   receipt ever speaks of files that are gone. Everything else is still there.
2. What the index repeats of it, and the hashes of its pieces.
3. Its names in the snapshot; then the blobs that no name is left for. A name never leads to a blob that is gone.
4. Its torrents, and folders that stand empty.
5. `removing.json`, last. While it lies there `prune` finds it and goes on from wherever this ended; a pull of the same
   model in between writes a new receipt, which then protects its files like every other one.

Blobs that other receipts or any other snapshot of the repository name stay, whoever made those.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, ThorpError
from thorp.base.files import DISK, explaining
from thorp.models.cache import refuse_links
from thorp.models.layout import OWN, RECEIPT, Layout, digest_of
from thorp.models.library import DEPTH, Library, exact_ref
from thorp.models.named import named_torrents
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.stores import StoreAwayError
from thorp.models.uses import LOCK, filing, sole, take

REMOVING: Final = "removing.json"
LONGEST_REF: Final = 256

Inode = tuple[int, int]


class UnclearError(ConflictError):
    """Receipts of a repository that cannot be read, so nobody knows which files they need."""

    code = "models.unclear"


@dataclass(frozen=True, slots=True)
class Removal:
    receipt: Receipt
    freed: int  # bytes; what another model shares stays


@dataclass(frozen=True, slots=True)
class Named:
    """What the snapshots of a repository lead to."""

    blobs: frozenset[Path]
    inodes: frozenset[Inode]  # where a name is no link but a file itself

    def __contains__(self, blob: Path) -> bool:
        return blob in self.blobs or inode_of(blob) in self.inodes


@dataclass(frozen=True, slots=True)
class Doomed:
    """What goes with an artifact."""

    entries: tuple[Path, ...]
    blobs: tuple[Path, ...]

    def freed(self) -> int:
        """Bytes of the files of which no name is left then."""
        names: dict[Inode, int] = {}
        sizes: dict[Inode, int] = {}
        for path in (*self.entries, *self.blobs):
            found = path.lstat()
            inode = (found.st_dev, found.st_ino)
            names[inode] = names.get(inode, 0) + 1
            if stat.S_ISREG(found.st_mode) and names[inode] == found.st_nlink:
                sizes[inode] = found.st_size
        return sum(sizes.values())


def plan_removal(library: Library, receipt: Receipt) -> Removal:
    """What `remove` would do now."""
    refuse_away(library)
    others = receipts_of(library.layout, receipt.repo, but=library.path(receipt))
    return Removal(receipt, _doomed(library, receipt, others).freed())


def remove(library: Library, receipt: Receipt) -> Removal:
    """Take an artifact away; refused while anybody uses it."""
    refuse_away(library)
    path = library.path(receipt)
    with explaining("remove", path):
        path.parent.mkdir(0o700, parents=True, exist_ok=True)  # the index may repeat a receipt that is gone
    with _held(library, receipt):
        receipts_of(library.layout, receipt.repo, but=path)  # refused before anything is done
        current = read_receipt(path) if path.exists() else receipt
        with explaining("remove", path), suppress(FileNotFoundError):
            path.replace(path.with_name(REMOVING))
            DISK.sync_folder(path.parent)
        return Removal(current, _finish(library, current))


def unfinished(layout: Layout) -> Iterator[Path]:
    """Removals that ended in the middle."""
    for where, folders, names in os.walk(layout.receipts):
        folders.sort()
        if REMOVING in names:
            yield Path(where, REMOVING)


def finish_removal(library: Library, removing: Path) -> int:
    """Go on with a removal that ended in the middle. Answers how many bytes that freed."""
    refuse_away(library)
    receipt = read_receipt(removing)
    if library.path(receipt).with_name(REMOVING) != removing:
        raise UnclearError(f"`{removing}` belongs elsewhere: it is of {receipt.key}. Move it away.", path=str(removing))
    with _held(library, receipt):
        return _finish(library, receipt)


def refuse_away(library: Library) -> None:
    """Without its disk nothing of a model can be removed, and nothing be said about it."""
    if why := library.away():
        raise StoreAwayError(f"{why[0].upper()}{why[1:]} Nothing was changed; mount it, then try again.")


def receipts_of(layout: Layout, repo: str, but: Path | None = None) -> tuple[Receipt, ...]:
    """Every receipt of a repository as it lies on disk, whatever the index says."""
    found: list[Receipt] = []
    for where, _, names in os.walk(layout.receipts.joinpath(*repo.split("/"))):
        path = Path(where, RECEIPT)
        if RECEIPT not in names or path == but:
            continue
        try:
            found.append(read_receipt(path))
        except ThorpError as error:
            raise UnclearError(
                f"Nothing was removed: nobody knows which files of {repo} this receipt needs. {error.message}",
                path=str(path),
            ) from error
    return tuple(found)


def named(library: Library, repo: str, but: frozenset[Path] = frozenset()) -> Named:
    """What the snapshots of a repository name, whoever made them, without these entries."""
    blobs: set[Path] = set()
    inodes: set[Inode] = set()
    for where, _, names in os.walk(library.layout.repo(repo) / "snapshots"):
        for entry in (Path(where, name) for name in names):
            target = None if entry in but else library.cache.target(repo, entry)
            if target == entry and (inode := inode_of(entry)):
                inodes.add(inode)
            elif target is not None:
                blobs.add(target)
    return Named(frozenset(blobs), frozenset(inodes))


def remove_blob(layout: Layout, repo: str, blob: Path) -> bool:
    """Remove a blob that nothing names, unless huggingface_hub is at it this moment."""
    with _hub_lock(layout.hub_lock(repo, digest_of(blob.name))) as ours:
        if ours:
            blob.unlink(missing_ok=True)
        return ours


def tidy(layout: Layout, repo: str, revision: str) -> None:
    """Remove folders that stand empty now, the repository's own last."""
    top, snapshot = layout.repo(repo), layout.snapshot(repo, revision)
    _remove_empty(snapshot)
    if not snapshot.exists():
        _forget_branches(top / "refs", revision)
    own = top / OWN
    for folder in (snapshot.parent, top / "blobs", own / "partial", own / "quarantine", own, top):
        with suppress(OSError):
            folder.rmdir()


def inode_of(path: Path) -> Inode | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


@contextmanager
def _held(library: Library, receipt: Receipt) -> Generator[None]:
    with sole(library.path(receipt), exact_ref(receipt)[:LONGEST_REF]), filing(library.layout.repo(receipt.repo)):
        yield


def _finish(library: Library, receipt: Receipt) -> int:
    """Everything after the receipt is gone; may be done again from any point."""
    layout, path = library.layout, library.path(receipt)
    others = receipts_of(layout, receipt.repo)
    came_back = path.exists()
    torrents = named_torrents(library, receipt)  # its manifest goes with it
    if not came_back:
        library.drop(receipt)
    doomed = _doomed(library, receipt, others)
    freed = doomed.freed()
    for one in (*doomed.entries, *doomed.blobs):
        refuse_links(one.parent, layout.repo(receipt.repo))
    with explaining("remove", layout.repo(receipt.repo)):
        for entry in doomed.entries:
            entry.unlink(missing_ok=True)
        for blob in doomed.blobs:
            if not remove_blob(layout, receipt.repo, blob):
                freed -= blob.lstat().st_size
        for folder in {one.parent for one in (*doomed.entries, *doomed.blobs)}:
            DISK.sync_folder(folder)
        _remove_torrents(library, torrents)
        tidy(layout, receipt.repo, receipt.revision)
    with explaining("remove", path):
        if not came_back:
            path.with_name(LOCK).unlink(missing_ok=True)
        path.with_name(REMOVING).unlink(missing_ok=True)
        for folder in path.parents[:DEPTH]:
            with suppress(OSError):  # something lies there
                folder.rmdir()
    return max(freed, 0)


def _doomed(library: Library, receipt: Receipt, others: Iterable[Receipt]) -> Doomed:
    layout, cache, repo = library.layout, library.cache, receipt.repo
    needed = [(layout.file(repo, one.revision, file.path), file) for one in others for file in one.files]
    kept = {entry for entry, _ in needed}
    entries = {layout.file(repo, receipt.revision, one.path) for one in receipt.files} - kept
    entries = {one for one in entries if one.is_symlink() or inode_of(one)}
    targets = {target for one in entries if (target := cache.target(repo, one)) and target != one}
    blobs = targets | {layout.blob(repo, digest_of(one.sha256)) for one in receipt.files}
    inodes = {inode for one in entries if (inode := inode_of(one))}
    blobs |= {one for one in _files_in(layout.blobs(repo)) if inodes and inode_of(one) in inodes}
    blobs |= _unnamed(library, receipt)
    blobs -= {layout.blob(repo, digest_of(file.sha256)) for _, file in needed}
    elsewhere = named(library, repo, frozenset(entries))
    return Doomed(tuple(sorted(entries)), tuple(sorted(one for one in blobs if inode_of(one) and one not in elsewhere)))


def _unnamed(library: Library, receipt: Receipt) -> set[Path]:
    """Small files under git's name for them whose entries are gone: what they are tells only their content."""
    layout = library.layout
    entries = ((layout.file(receipt.repo, receipt.revision, one.path), one) for one in receipt.files)
    wanted = {(one.size, one.sha256) for entry, one in entries if not os.path.lexists(entry)}
    sizes = {size for size, _ in wanted}
    found: set[Path] = set()
    for blob in _files_in(layout.blobs(receipt.repo)) if wanted else ():
        is_small = len(blob.name) == len(receipt.revision) and inode_of(blob) and blob.lstat().st_size in sizes
        if is_small and (blob.lstat().st_size, _sha256(library, blob)) in wanted:
            found.add(blob)
    return found


def _sha256(library: Library, blob: Path) -> str:
    with os.fdopen(library.cache.open(blob), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_torrents(library: Library, torrents: frozenset[str]) -> None:
    for infohash in torrents.difference(*(named_torrents(library, one) for one in library.receipts())):
        library.layout.torrent(digest_of(infohash)).unlink(missing_ok=True)


@contextmanager
def _hub_lock(path: Path) -> Generator[bool]:
    """Whether huggingface_hub leaves a file alone. Where it never made a lock it never was."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        yield take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


def _files_in(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(folder.iterdir())
    except OSError:
        return ()


def _forget_branches(refs: Path, revision: str) -> None:
    """Remove what stands for a revision that is not here any more."""
    for where, _, names in os.walk(refs, topdown=False):
        for ref in (Path(where, name) for name in names):
            with suppress(OSError):
                if inode_of(ref) and ref.stat().st_size == len(revision) and ref.read_text("ascii") == revision:
                    ref.unlink()
        with suppress(OSError):
            Path(where).rmdir()


def _remove_empty(top: Path) -> None:
    for where, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # something lies there
            Path(where).rmdir()
