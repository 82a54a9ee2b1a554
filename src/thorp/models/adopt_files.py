"""Takes single files that lie elsewhere: proves their bytes, then gives them a name in the models folder.

What is taken is what was proven: a file that changes or is exchanged meanwhile is refused. A file that somebody else
may write is never shared by a link, for then they could change a proven model.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, IntegrityError, TryAgainError
from thorp.base.files import explaining
from thorp.base.moments import seconds_of
from thorp.formats.errors import shown
from thorp.models.adopt_types import Arrived, Artifact, Lying
from thorp.models.cache import Cache, same_file
from thorp.models.files_in import set_aside
from thorp.models.hashing import STEP, HashingEndedError, hash_file
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.links import How
from thorp.models.partial import Partial
from thorp.models.ports import Stop
from thorp.models.receipts import REVISION
from thorp.models.remove import named, tidy
from thorp.models.room import check_room
from thorp.models.uses import filing

SMALL: Final = 16 * 1024 * 1024  # may be copied without asking

Progress = Callable[[str, int, int], None]
Mark = tuple[int, int, int, int, int]  # what tells that a file is the same and was not written to


class ChangedWhileReadError(ConflictError):
    """A file was written to, or exchanged, while it was being taken."""

    code = "models.changed_while_read"


class CopyNeededError(ConflictError):
    """A model can be taken by a copy only, and nobody asked for one."""

    code = "models.copy_needed"


class WrongNameError(IntegrityError):
    """A file of a cache has other bytes than its name promises."""

    code = "models.wrong_name"


class BusyFileError(TryAgainError):
    """Another process brings the same file at this moment."""

    code = "models.busy_file"


@dataclass(frozen=True, slots=True)
class Work:
    """How files are taken."""

    library: Library
    copies: bool
    progress: Progress
    stop: Stop

    @property
    def cache(self) -> Cache:
        return self.library.cache


@dataclass(frozen=True, slots=True)
class Proven:
    """A file whose bytes are known."""

    lying: Lying
    mark: Mark
    sha256: str
    pieces: bytes

    @property
    def digest(self) -> bytes:
        """What its blob is called."""
        return digest_of(self.lying.digest or self.sha256)

    @property
    def arrived(self) -> Arrived:
        return Arrived(self.lying.path, self.lying.size, self.sha256, self.pieces, self.digest)


@dataclass(frozen=True, slots=True)
class Known:
    """What a receipt says about a file that has a second name elsewhere."""

    sha256: str
    pieces: bytes


def mark_of(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def mark_at(lying: Lying) -> Mark:
    with explaining("read", lying.at):
        return mark_of(lying.at.lstat())


def touched(facts: os.stat_result) -> float:
    """When a file was written to or renamed last. A writer can set back the one moment, not the other."""
    return max(facts.st_mtime, facts.st_ctime)


def known_inodes(library: Library) -> dict[tuple[int, int], Known]:
    """Every file of the library that was not written to since it was verified."""
    found: dict[tuple[int, int], Known] = {}
    for receipt in library.receipts():
        for file in receipt.files:
            at = library.cache.find(receipt.repo, receipt.revision, file)
            pieces = library.pieces(receipt, file.sha256)
            with suppress(OSError, ValueError):
                if at is None or pieces is None or touched(facts := at.lstat()) > seconds_of(receipt.verified_at):
                    continue
                found[facts.st_dev, facts.st_ino] = Known(file.sha256, pieces)
    return found


def prove(work: Work, lying: Lying, mark: Mark, known: Known | None) -> Proven:
    """The hashes of a file that is still what it was when `mark` was taken. `known` saves reading it."""
    if known is not None and len(lying.digest) != REVISION:
        sha256, git, pieces = known.sha256, "", known.pieces
    else:
        sha256, git, pieces = _read(work, lying, mark)
    if lying.digest and lying.digest != (git if len(lying.digest) == REVISION else sha256):
        raise WrongNameError(f"`{shown(lying.path)}`: its bytes are not what their name says.", path=lying.path)
    return Proven(lying, mark, sha256, pieces)


def _read(work: Work, lying: Lying, mark: Mark) -> tuple[str, str, bytes]:
    handle = work.cache.open(lying.at)
    try:
        _refuse_change(lying, mark, mark_of(os.fstat(handle)))
        told = partial(_tell, work, lying)
        with explaining("read", lying.at):
            hashes = hash_file(handle, lying.size, told=told, stop=work.stop, git=len(lying.digest) == REVISION)
        _refuse_change(lying, mark, mark_of(os.fstat(handle)))
    finally:
        os.close(handle)
    if hashes.size != lying.size:
        raise _changed(lying)
    return hashes.sha256, hashes.git_sha1, hashes.pieces


def _tell(work: Work, lying: Lying, done: int) -> None:
    work.progress(lying.path, done, lying.size)


def take(work: Work, artifact: Artifact, proven: Proven) -> How | None:
    """Give a proven file its blob. None: it stands there already."""
    cache, digest = work.cache, proven.digest
    blob = cache.layout.blob(artifact.repo, digest)
    if same_file(blob, proven.lying.at) or stands(work, artifact.repo, proven.arrived):
        return None
    how = cache.adopt(artifact.repo, digest, proven.lying.at, copies=False) if _may_link(proven.lying.at) else None
    if how is None:
        if not work.copies and proven.lying.size >= SMALL:
            raise _copy_needed(artifact, work.library.layout.hub)
        _copy(work, artifact.repo, proven)
        return How.COPIED
    if not _is_what_was_proven(blob, proven, how):
        blob.unlink(missing_ok=True)
        raise _changed(proven.lying)
    return how


def undo(work: Work, repo: str, revision: str, made: list[bytes], entries: list[Path]) -> None:
    """Take back what an artifact that failed has brought, unless somebody else relies on it by now."""
    layout = work.library.layout
    with filing(layout.repo(repo)):
        for entry in entries:
            entry.unlink(missing_ok=True)
        needed = named(work.library, repo)
        for blob in (layout.blob(repo, digest) for digest in made):
            if blob not in needed:
                blob.unlink(missing_ok=True)
        tidy(layout, repo, revision)


def stands(work: Work, repo: str, wanted: Arrived) -> bool:
    """Whether the blob that is there already is right; a wrong one is set aside."""
    if not work.cache.has_blob(repo, wanted.digest, wanted.size):
        return False
    blob = work.library.layout.blob(repo, wanted.digest)
    handle = work.cache.open(blob)
    try:
        with explaining("read", blob):
            told = partial(work.progress, wanted.path)
            found = hash_file(handle, wanted.size, told=lambda done: told(done, wanted.size), stop=work.stop).sha256
    finally:
        os.close(handle)
    if found != wanted.sha256:
        set_aside(work.library, repo, wanted.digest, blob)
    return found == wanted.sha256


def _may_link(at: Path) -> bool:
    """Whether nobody but this user can write to a file; a clone would do, but a link could come of it."""
    with explaining("look at", at):
        found = at.lstat()
    shared = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid != os.getegid() else 0)
    return found.st_uid == os.geteuid() and not found.st_mode & shared


def _is_what_was_proven(blob: Path, proven: Proven, how: How) -> bool:
    """Whether nothing was exchanged or written between proving and naming. A new link changes the last number."""
    there = mark_of((blob if how is How.LINKED else proven.lying.at).lstat())
    return there[:4] == proven.mark[:4] and (how is How.LINKED or there == proven.mark)


def _copy(work: Work, repo: str, proven: Proven) -> None:
    """A copy whose bytes are proven once more while they are written."""
    layout, lying = work.library.layout, proven.lying
    check_room(layout.hub, lying.size)
    scratch = Partial.held(layout.partial(repo, proven.digest), lying.size)
    if scratch is None:
        raise BusyFileError(f"Another process brings `{shown(lying.path)}` just now. Try again when it is done.")
    try:
        scratch.open()
        if _copied(work, lying, scratch) != proven.sha256:
            raise _changed(lying)
        work.cache.keep(repo, proven.digest, scratch.finish())
    finally:
        scratch.discard()
        scratch.release()


def _copied(work: Work, lying: Lying, scratch: Partial) -> str:
    hasher = hashlib.sha256()
    handle = work.cache.open(lying.at)
    try:
        at = 0
        while data := os.pread(handle, STEP, at):
            if work.stop.is_set():
                raise HashingEndedError("Copying was ended before it was through. Nothing was kept; run it again.")
            hasher.update(data)
            if at + len(data) > lying.size:
                raise _changed(lying)
            scratch.write(memoryview(data), at)
            at += len(data)
            _tell(work, lying, at)
    finally:
        os.close(handle)
    return hasher.hexdigest()


def _copy_needed(artifact: Artifact, hub: Path) -> CopyNeededError:
    size = sum(one.size for one in artifact.files)
    return CopyNeededError(
        f"{artifact.repo} can be neither cloned nor linked into `{hub}`: it lies on another disk, or others may write "
        f"to it. It would take a copy of {size / 1024**3:.2f} GiB; add `--copy` for that.",
        repo=artifact.repo,
        size_bytes=size,
    )


def _refuse_change(lying: Lying, before: Mark, now: Mark) -> None:
    if before != now:
        raise _changed(lying)


def _changed(lying: Lying) -> ChangedWhileReadError:
    return ChangedWhileReadError(
        f"`{shown(lying.path)}` changed while it was read, so it was not taken. Import it when nothing writes to it.",
        path=lying.path,
    )
