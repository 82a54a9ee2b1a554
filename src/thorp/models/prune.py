"""Finds what can go from the models folder and the library, and removes it. Nothing that anybody works on ever does.

A plan looks only; each thing is looked at again, under its lock, before it goes. Ages below zero, as after a clock
that went back, count as no age at all. What Thorp has no receipt for, but a snapshot names, is somebody else's.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, IntegrityError, NotFoundError
from thorp.base.files import UNFINISHED, explaining
from thorp.base.moments import seconds_of
from thorp.models.layout import DIGEST, OWN, digest_of, repo_folder, repo_of
from thorp.models.library import Library, Scan, exact_ref, scan
from thorp.models.named import named_torrents
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.remove import (
    UnclearError,
    finish_removal,
    inode_of,
    named,
    plan_removal,
    receipts_of,
    refuse_away,
    remove,
    remove_blob,
    tidy,
    unfinished,
)
from thorp.models.uses import LOCK, InUseError, filing, is_locked, is_used, last_used, still_there, take

A_DAY: Final = 86_400.0
PRUNING: Final = ".pruning"
DRAFTS: Final = (".adopting", ".entering")
NO_REVISION: Final = "0" * 40

Live = frozenset[tuple[str, bytes]]


class Leftover(StrEnum):
    PARTIAL = "partial"
    QUARANTINE = "quarantine"
    DRAFT = "draft"
    TORRENT = "torrent"
    BLOB = "blob"
    REMOVAL = "removal"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can go."""

    what: str  # a model id, or a Leftover
    ref: str
    reason: str
    bytes: int
    path: Path | None = None
    receipt: Receipt | None = None
    changed: float = 0.0  # when it was changed last, as the plan saw it


@dataclass(frozen=True, slots=True)
class _Look:
    """What a plan is made of."""

    library: Library
    now: float
    limit: float  # seconds after which a leftover is one
    live: frozenset[tuple[str, bytes]]  # by the names of folders

    def is_old(self, changed: float) -> bool:
        return self.now - changed > self.limit

    def is_live(self, folder: str, digest: bytes) -> bool:
        return (folder, digest) in self.live

    def has_live(self, folder: str) -> bool:
        return any(name == folder for name, _ in self.live)


def plan_prune(library: Library, now: float, *, older_than: float | None, live: Live) -> tuple[Item, ...]:
    """What can go now. `live`: the partials that running and paused transfers own, by repository and digest.

    `older_than`: seconds; models not used for that long go, too, but never one with an alias.
    """
    refuse_away(library)
    limit = A_DAY if older_than is None else min(A_DAY, older_than)
    look = _Look(library, now, limit, frozenset((repo_folder(repo), digest) for repo, digest in live))
    every = scan(library.layout)
    leftovers = chain.from_iterable(
        chain(_partials(look, top), _quarantined(top), _drafts(look, top), _blobs(look, top))
        for top in _repositories(library.layout.hub)
    )
    models = _models(library, every.receipts, now, older_than)
    return (*_removals(library), *leftovers, *_torrents(look, every), *models)


def prune(library: Library, items: Iterable[Item]) -> tuple[Item, ...]:
    """Remove what a plan names; answers what went, with the bytes that this freed. What is in use by now stays."""
    refuse_away(library)
    gone: list[Item] = []
    for item in items:
        with suppress(InUseError, NotFoundError, UnclearError):  # somebody was first, or has it now
            freed = _perform(library, item)
            if freed is not None:
                gone.append(replace(item, bytes=freed))
    return tuple(gone)


def superseded(one: Receipt, others: Iterable[Receipt], current: str | None) -> bool:
    """Whether a newer revision of the same artifact took its place. `current`: what its branch stands for now."""
    return current != one.revision and any(
        other.revision != one.revision
        and (other.repo, other.artifact, other.version) == (one.repo, one.artifact, one.version)
        and seconds_of(other.downloaded_at) > seconds_of(one.downloaded_at)
        for other in others
    )


def _repositories(hub: Path) -> Iterator[Path]:
    return (top for top in _listed(hub) if repo_of(top.name) and ".." not in top.name and top.is_dir())


def _removals(library: Library) -> Iterator[Item]:
    for path in unfinished(library.layout):
        with suppress(NotFoundError, ConflictError, IntegrityError):
            receipt = read_receipt(path)
            came_back = library.path(receipt).exists()
            freed = 0 if came_back else plan_removal(library, receipt).freed
            yield Item(Leftover.REMOVAL, exact_ref(receipt), "a removal that was interrupted", freed, path)


def _partials(look: _Look, top: Path) -> Iterator[Item]:
    for folder in _own(top, "partial"):
        name = folder.name.removeprefix(".").removesuffix(PRUNING)
        if not DIGEST.fullmatch(name) or folder.is_symlink() or not folder.is_dir():
            continue
        changed = _changed(folder)
        if look.is_old(changed) and not look.is_live(top.name, digest_of(name)) and not is_locked(folder / LOCK):
            reason = "an unfinished download that nothing goes on with"
            yield Item(Leftover.PARTIAL, repo_of(top.name) or "", reason, _size(folder), folder, changed=changed)


def _quarantined(top: Path) -> Iterator[Item]:
    for path in _own(top, "quarantine"):
        reason = "bytes that were not what they should be"
        yield Item(Leftover.QUARANTINE, repo_of(top.name) or "", reason, _size(path), path)


def _drafts(look: _Look, top: Path) -> Iterator[Item]:
    for where, _, names in chain.from_iterable(os.walk(top / name) for name in ("blobs", "snapshots", "refs")):
        for name in names:
            if not (UNFINISHED.fullmatch(name) or (name.startswith(".") and name.endswith(DRAFTS))):
                continue
            path = Path(where, name)
            if look.is_old(changed := _changed(path)):
                reason = "a name that was being given when its process ended"
                yield Item(Leftover.DRAFT, repo_of(top.name) or "", reason, _size(path), path, changed=changed)


def _blobs(look: _Look, top: Path) -> Iterator[Item]:
    """Whole files that no name leads to: a pull or a removal ended between two steps."""
    repo = repo_of(top.name) or ""
    blobs = [one for one in _listed(top / "blobs") if DIGEST.fullmatch(one.name) and inode_of(one)]
    old = [one for one in blobs if look.is_old(_changed(one))]
    if not old or look.has_live(top.name) or _own(top, "partial"):  # a pull keeps whole files before it enters them
        return
    with suppress(UnclearError):
        if (top / "snapshots").exists() and not receipts_of(look.library.layout, repo):
            return  # a repository that only another program knows is that program's to clear
        unneeded = _unneeded(look.library, repo)
        for blob in old:
            if unneeded(blob):
                reason = "a whole file that no model needs"
                yield Item(Leftover.BLOB, repo, reason, _size(blob), blob, changed=_changed(blob))


def _unneeded(library: Library, repo: str) -> Callable[[Path], bool]:
    names = named(library, repo)
    kept = {digest_of(file.sha256).hex() for one in receipts_of(library.layout, repo) for file in one.files}
    return lambda blob: blob.name not in kept and blob not in names


def _torrents(look: _Look, every: Scan) -> Iterator[Item]:
    if every.unreadable:  # one of them may be the one that names it
        return
    needed = {f"{infohash}.torrent" for one in every.receipts for infohash in named_torrents(look.library, one)}
    for path in _listed(look.library.layout.torrents):
        is_ours = path.suffix == ".torrent" and DIGEST.fullmatch(path.stem)
        if is_ours and path.name not in needed and look.is_old(changed := _changed(path)):
            yield Item(Leftover.TORRENT, path.stem, "a torrent of no model", _size(path), path, changed=changed)


def _models(library: Library, every: tuple[Receipt, ...], now: float, older_than: float | None) -> Iterator[Item]:
    for one in every:
        path = library.path(one)
        if one.aliases or is_used(path):
            continue
        if reason := _why(library, one, every, now, older_than):
            with suppress(UnclearError):
                freed = plan_removal(library, one).freed
                yield Item(one.model_id, exact_ref(one), reason, freed, path, one)


def _why(library: Library, one: Receipt, every: tuple[Receipt, ...], now: float, older_than: float | None) -> str:
    """Why a model can go; empty when it cannot."""
    fetched = seconds_of(one.downloaded_at)
    rivals = [
        other
        for other in every
        if other.repo == one.repo
        and fetched <= seconds_of(other.downloaded_at) <= now
        and library.state(other).complete
    ]
    if superseded(one, rivals, _branch(library, one)):
        return "a newer revision of it is here"
    used = last_used(library.path(one))
    if older_than is not None and now - (fetched if used is None else used) > older_than:
        return "not used for longer than you want to keep it"
    return ""


def _branch(library: Library, receipt: Receipt) -> str | None:
    """What the branch stands for that a receipt was pulled from."""
    try:
        ref = library.layout.ref(receipt.repo, receipt.version)
        return ref.read_text("ascii").strip() if ref.stat().st_size <= len(NO_REVISION) + 1 else None
    except (OSError, ValueError):
        return None


def _perform(library: Library, item: Item) -> int | None:
    """Remove one thing, should it still be as it was. Answers the freed bytes; None: it stays."""
    path = item.path
    if path is None:
        return None
    match item.what:
        case Leftover.REMOVAL:
            return finish_removal(library, path)
        case Leftover.PARTIAL:
            return _drop_partial(library, item, path)
        case Leftover.BLOB:
            return _drop_blob(library, item, path)
        case Leftover.QUARANTINE | Leftover.DRAFT | Leftover.TORRENT:
            return _drop_plain(library, item, path)
        case _:
            return _drop_model(library, item, path)


def _drop_model(library: Library, item: Item, path: Path) -> int | None:
    if item.receipt is None or is_used(path):
        return None
    current = read_receipt(path)
    if current.aliases or current.downloaded_at != item.receipt.downloaded_at:
        return None
    return remove(library, current).freed


def _drop_partial(library: Library, item: Item, folder: Path) -> int | None:
    """It gets another name under its lock, so that who comes now begins a new one."""
    lock = folder / LOCK
    if _changed(folder) != item.changed:
        return None
    with explaining("remove", folder):
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            is_ours = take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB) and still_there(handle, lock)
            if not is_ours or _changed(folder, but=LOCK) > item.changed:
                return None
            freed = _size(folder)
            doomed = folder if folder.name.endswith(PRUNING) else folder.with_name(f".{folder.name}{PRUNING}")
            folder.replace(doomed)
            shutil.rmtree(doomed)
        finally:
            os.close(handle)
    tidy(library.layout, item.ref, NO_REVISION)
    return freed


def _drop_blob(library: Library, item: Item, blob: Path) -> int | None:
    top = library.layout.repo(item.ref)
    with filing(top), explaining("remove", blob):
        if _own(top, "partial") or _changed(blob) != item.changed or not _unneeded(library, item.ref)(blob):
            return None
        freed = _size(blob)
        if not remove_blob(library.layout, item.ref, blob):
            return None
        tidy(library.layout, item.ref, NO_REVISION)
        return freed


def _drop_plain(library: Library, item: Item, path: Path) -> int | None:
    with explaining("remove", path):
        if item.changed and _changed(path) != item.changed:
            return None
        freed = _size(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if item.what != Leftover.TORRENT:
        tidy(library.layout, item.ref, NO_REVISION)
    return freed


def _own(top: Path, kind: str) -> tuple[Path, ...]:
    """What lies in a folder of ours; nothing where a link has taken its place."""
    folder = top / OWN / kind
    return () if (top / OWN).is_symlink() or folder.is_symlink() else _listed(folder)


def _listed(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(folder.iterdir()))
    except OSError:
        return ()


def _facts(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names and facts of the files of a thing, be it one or a folder; what goes meanwhile is passed over."""
    inside = (Path(where, name) for where, _, names in os.walk(path) for name in names)
    for one in inside if path.is_dir() and not path.is_symlink() else (path,):
        with suppress(OSError):
            yield one.name, one.lstat()


def _changed(path: Path, *, but: str = "") -> float:
    """When a thing was changed last, or got its name; 0 for what is not there."""
    moments = [max(one.st_mtime, one.st_ctime) for name, one in _facts(path) if name != but]
    if moments or but:
        return max(moments, default=0.0)
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    """The bytes that removing it frees."""
    return sum(one.st_size for _, one in _facts(path) if stat.S_ISREG(one.st_mode) and one.st_nlink == 1)
