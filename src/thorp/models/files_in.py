"""Brings one file of a pull into the models folder, out of what is here already or from a source. Proves all of it."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from thorp.base.errors import IntegrityError
from thorp.base.files import explaining
from thorp.models.cache import Cache, refuse_links
from thorp.models.fetching import FileFetch, Pace, TransferEndedError
from thorp.models.hashing import Hashes, hash_file
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.links import How
from thorp.models.partial import Partial, bytes_noted
from thorp.models.ports import ByteSource, Stop
from thorp.models.stages import Reached, Stage
from thorp.models.types import Wanted
from thorp.models.uses import take

LOOK_AGAIN: Final = 0.3  # seconds between two looks at a file that another process brings
TRIES: Final = 2  # a clean second one after wrong bytes


class WrongBytesError(IntegrityError):
    """What came is not what its hash says."""

    code = "models.wrong_bytes"


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that stands proven under its hash."""

    sha256: str
    pieces: bytes
    note: str = ""  # what the person should know: a second copy was made
    fetched: bool = False  # by this pull; else it was here before


@dataclass(eq=False, slots=True)
class Bringing:
    """Everything a file on its way needs, and how far it is."""

    library: Library
    sources: tuple[ByteSource, ...]
    pace: Pace
    stop: Stop
    told: Callable[[], None]
    reached: Reached
    done: int = 0  # bytes of the present file
    note: str = ""
    by_source: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def cache(self) -> Cache:
        return self.library.cache

    def check(self) -> None:
        if self.stop.is_set():
            raise TransferEndedError("The transfer was told to end; what is here stays.")


def bring(wanted: Wanted, work: Bringing) -> Brought:
    """Return when the file stands proven under its hash."""
    digest = digest_of(wanted.file.blob)
    folder = work.library.layout.partial(wanted.repo, digest)
    while True:
        work.check()
        if brought := _found(wanted, digest, work):
            clear_partial(folder, wanted.file.size)
            return brought
        with held_for_hub(work.library.layout.hub_lock(wanted.repo, digest)) as free:
            partial = Partial.held(folder, wanted.file.size) if free else None
            if partial is not None:
                try:
                    return _found(wanted, digest, work) or _fetched(wanted, digest, partial, work)
                finally:
                    partial.release()
        _follow(folder, wanted.file.size, work)


def _found(wanted: Wanted, digest: bytes, work: Bringing) -> Brought | None:
    """What is on this machine already: under its own name, or in another repository. It is read and proven again."""
    cache, file = work.cache, wanted.file
    at = cache.layout.blob(wanted.repo, digest)
    if cache.has_blob(wanted.repo, digest, file.size):
        hashes = _hashed(at, wanted, work)
        if proves(hashes, wanted):
            return Brought(hashes.sha256, hashes.pieces)
        set_aside(work.library, wanted.repo, digest, at)
        return None
    return _shared(wanted, digest, work)


def stands_proven(wanted: Wanted, work: Bringing) -> bool:
    """Whether the right bytes stand under their name; reads all of them."""
    digest = digest_of(wanted.file.blob)
    if not work.cache.has_blob(wanted.repo, digest, wanted.file.size):
        return False
    return proves(_hashed(work.cache.layout.blob(wanted.repo, digest), wanted, work), wanted)


def _shared(wanted: Wanted, digest: bytes, work: Bringing) -> Brought | None:
    """The same bytes out of another repository: linked where the disk can, else copied, and said so."""
    if wanted.file.sha256 is None:
        return None
    for receipt in work.library.receipts():
        same = (wanted.file.sha256, wanted.file.size)
        file = next((one for one in receipt.files if (one.sha256, one.size) == same), None)
        at = work.cache.find(receipt.repo, receipt.revision, file) if file else None
        if file is None or at is None or receipt.repo == wanted.repo:
            continue
        hashes = _hashed(at, wanted, work)
        if not proves(hashes, wanted):
            continue
        how = work.cache.adopt(wanted.repo, digest, at, copies=True)
        note = f"`{wanted.file.path}` is here in {receipt.repo}, too; this disk cannot share it, so it was copied."
        return Brought(hashes.sha256, hashes.pieces, note if how is How.COPIED else "")
    return None


def _hashed(at: Path, wanted: Wanted, work: Bringing) -> Hashes:
    work.note = f"checking `{wanted.file.path}`, which is here already"
    handle = work.cache.open(at)
    try:
        return hash_file(
            handle, wanted.file.size, told=lambda count: _told(work, count), stop=work.stop, git=_needs_git(wanted)
        )
    finally:
        os.close(handle)
        work.note = ""


def _told(work: Bringing, count: int) -> None:
    work.done = count
    work.told()


def _fetched(wanted: Wanted, digest: bytes, partial: Partial, work: Bringing) -> Brought:
    work.reached(Stage.LOCKED)
    before = dict(work.by_source)
    for again in range(TRIES):
        partial.open()
        hashes = _fetch(wanted, partial, work, again)
        work.reached(Stage.HASHED)
        data = partial.finish()
        work.reached(Stage.SYNCED)
        if proves(hashes, wanted):
            work.cache.keep(wanted.repo, digest, data)
            work.reached(Stage.KEPT)
            partial.discard()
            work.reached(Stage.CLEARED)
            return Brought(hashes.sha256, hashes.pieces, fetched=True)
        set_aside(work.library, wanted.repo, digest, data)
        partial.start_over()
        work.by_source.clear()  # wrong bytes are nobody's merit: a receipt names who sent the right ones
        work.by_source.update(before)
    partial.discard()
    raise WrongBytesError(
        f"`{wanted.file.path}` of {wanted.repo} came with other bytes than its hash says, {TRIES} times. "
        "Nothing was installed; the wrong bytes are set aside. Try again later, or pull from elsewhere.",
        repo=wanted.repo,
        path=wanted.file.path,
    )


def _fetch(wanted: Wanted, partial: Partial, work: Bringing, again: int) -> Hashes:
    sources = work.sources[again % len(work.sources) :] + work.sources[: again % len(work.sources)]
    fetch = FileFetch(wanted, partial, sources, work.pace, work.stop)
    before = dict(work.by_source)
    begun = False

    def told() -> None:
        nonlocal begun
        work.done, work.note = partial.blocks.bytes_here, fetch.waits_for
        for name, count in partial.by_source.items():
            work.by_source[name] = before.get(name, 0) + count
        if work.done and not begun:
            begun = True
            work.reached(Stage.FIRST_BYTES)
        work.told()

    try:
        hashes = fetch.run(told)
    except BaseException:
        if not partial.blocks.bytes_here:
            partial.discard()
        raise
    told()
    work.reached(Stage.FETCHED)
    return hashes


def proves(hashes: Hashes, wanted: Wanted) -> bool:
    """Whether these are the bytes the hub means: by their SHA-256, or by git's own hash for small files."""
    file = wanted.file
    return hashes.sha256 == file.sha256 if file.sha256 else hashes.git_sha1 == file.blob


def _needs_git(wanted: Wanted) -> bool:
    return wanted.file.sha256 is None


def set_aside(library: Library, repo: str, digest: bytes, data: Path) -> None:
    """Keep wrong bytes apart for somebody who wants to look; those of the last time go."""
    aside = library.layout.quarantine(repo, digest)
    refuse_links(aside, library.layout.repo(repo))
    with explaining("set aside", data):
        aside.mkdir(0o700, parents=True, exist_ok=True)
        data.replace(aside / "data")


def _follow(folder: Path, size: int, work: Bringing) -> None:
    """Look on while another process brings the file; it may be done, or dead, at the next look."""
    work.note = "another process on this machine brings it"
    work.done = bytes_noted(folder, size)
    work.told()
    work.stop.wait(LOOK_AGAIN)
    work.note = ""


@contextmanager
def held_for_hub(lock: Path) -> Generator[bool]:
    """Hold what huggingface_hub locks for the same file. False: it is fetching it just now."""
    with explaining("lock", lock):
        lock.parent.mkdir(0o755, parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with explaining("lock", lock):
            free = take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield free
    finally:
        os.close(handle)


def clear_partial(folder: Path, size: int) -> None:
    """Remove what a pull that died, or was cancelled, left of a file; not what another process works on."""
    if not folder.exists():
        return
    if (partial := Partial.held(folder, size)) is not None:
        partial.discard()
        partial.release()
