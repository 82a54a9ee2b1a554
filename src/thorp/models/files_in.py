"""Brings one file of a pull into the models folder, out of what is here already or from a source. Proves all of it."""

import fcntl
import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, IntegrityError, ThorpError, TryAgainError
from thorp.base.files import explaining
from thorp.models.after_kill import check_again
from thorp.models.cache import Cache, refuse_links
from thorp.models.fetching import FileFetch, Pace, TransferEndedError, told_to_end
from thorp.models.hashing import Hashes, hash_file
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.links import How
from thorp.models.offered import NobodyHasItError
from thorp.models.partial import Partial, bytes_noted
from thorp.models.ports import ByteSource, Stop
from thorp.models.stages import Reached, Stage
from thorp.models.swarming import DoubtedTorrentError, Swarm, SwarmFetch, Swarming, torrent_of
from thorp.models.types import SourceKind, Wanted
from thorp.models.uses import take
from thorp.swarm.torrents import ReadTorrent

log = logging.getLogger(__name__)
LOOK_AGAIN: Final = 0.3  # seconds between two looks at a file that another process brings
TRIES: Final = 2  # a clean second one after wrong bytes
LAN_TRIES: Final = 3  # many neighbours may be one liar: the last one is without any


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
    given_by: frozenset[ByteSource] = frozenset()


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
    pieces: str = ""  # of the present file: a letter each, by where it came from
    by_source: dict[str, int] = field(default_factory=dict[str, int])
    swarm: Swarm | None = None

    @property
    def cache(self) -> Cache:
        return self.library.cache

    def check(self) -> None:
        if self.stop.is_set():
            raise told_to_end()


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
            handle,
            wanted.file.size,
            told=lambda count: _told(work, count),
            stop=work.stop,
            git=wanted.file.named_by_git,
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
    sources = work.sources
    tries = LAN_TRIES if len(sources) > TRIES and any(one.kind is SourceKind.LAN for one in sources) else TRIES
    for again in range(tries):
        partial.open()
        hashes, gave = _fetch(wanted, partial, work, sources)
        work.reached(Stage.HASHED)
        data = partial.finish()
        work.reached(Stage.SYNCED)
        if proves(hashes, wanted):
            work.cache.keep(wanted.repo, digest, data)
            work.reached(Stage.KEPT)
            partial.discard()
            work.reached(Stage.CLEARED)
            return Brought(hashes.sha256, hashes.pieces, fetched=True, given_by=gave)
        sources = others(sources, gave, last=again + 2 >= tries)
        set_aside(work.library, wanted.repo, digest, data)
        partial.start_over()
        work.by_source.clear()  # wrong bytes are nobody's merit: a receipt names who sent the right ones
        work.by_source.update(before)
    partial.discard()
    raise WrongBytesError(
        f"`{wanted.file.path}` of {wanted.repo} came with other bytes than its hash says, {tries} times. "
        "Nothing was installed; the wrong bytes are set aside. Try again later, or pull from elsewhere.",
        repo=wanted.repo,
        path=wanted.file.path,
    )


def others(
    sources: tuple[ByteSource, ...], gave: frozenset[ByteSource], *, last: bool = False
) -> tuple[ByteSource, ...]:
    """Whom to ask after wrong bytes: who gave none of them, in the end no neighbours; without such, all in turn."""
    rest = tuple(one for one in sources if one not in gave)
    if last:
        rest = tuple(one for one in rest or sources if one.kind is not SourceKind.LAN) or rest
    return rest or sources[1:] + sources[:1]


def _fetch(
    wanted: Wanted, partial: Partial, work: Bringing, sources: tuple[ByteSource, ...]
) -> tuple[Hashes, frozenset[ByteSource]]:
    """The bytes, whatever they are, and who gave them."""
    telling = _Telling(partial, work)
    try:
        check_again(partial, work.stop)
        came = _swarmed(wanted, telling, sources) or _ranged(wanted, telling, sources)
    except BaseException:
        if not partial.blocks.bytes_here:
            partial.discard()
        raise
    telling.tell(partial.blocks.bytes_here, "")
    work.reached(Stage.FETCHED)
    return came


_Came = tuple[Hashes, frozenset[ByteSource]]


def _ranged(wanted: Wanted, telling: "_Telling", sources: tuple[ByteSource, ...]) -> _Came:
    """Range by range, from whoever has it."""
    if not sources and wanted.file.size:
        raise NobodyHasItError(
            f"No neighbour that is here now has `{wanted.file.path}` of {wanted.repo}. Pull it without `--from`, or "
            "when one is back.",
            path=wanted.file.path,
        )
    partial, work = telling.partial, telling.work
    fetch = FileFetch(wanted, partial, sources, work.pace, work.stop)
    return fetch.run(lambda: telling.tell(partial.blocks.bytes_here, fetch.waits_for)), fetch.gave


def _swarmed(wanted: Wanted, telling: "_Telling", sources: tuple[ByteSource, ...]) -> _Came | None:
    """From all neighbours at once; None where they have no torrent, or went away: then others go on."""
    partial, work = telling.partial, telling.work
    if work.swarm is None or not any(one.kind is SourceKind.LAN for one in sources):
        return None
    if (torrent := _torrent(work.swarm, wanted)) is None:
        return None
    helpers = tuple(sorted(sources, key=lambda one: one.kind is SourceKind.LAN))  # neighbours by ranges are the last
    fetch = SwarmFetch(Swarming(wanted, partial, work.swarm, torrent, helpers, work.pace, work.stop))
    try:
        hashes = fetch.run(lambda: telling.tell(fetch.done, fetch.waits_for))
    except TransferEndedError:
        raise
    except DoubtedTorrentError as error:  # what is here may be as wrong as what it says
        log.warning("%s", error.message)
        partial.start_over()
        return None
    except (IntegrityError, ConflictError, TryAgainError) as error:
        log.warning("the swarm is left, others go on: %s", error.message)
        check_again(partial, work.stop)  # the engine may not have brought to the disk what it said it had
        return None
    if hashes is not None and not proves(hashes, wanted):
        work.swarm.doubt(torrent.infohash)
    return None if hashes is None else (hashes, frozenset())


def _torrent(swarm: Swarm, wanted: Wanted) -> ReadTorrent | None:
    """Neighbours are a help: trouble in asking them keeps nobody else from helping."""
    try:
        return torrent_of(swarm, wanted)
    except ThorpError as error:
        log.warning("no torrent of `%s` is asked for: %s", wanted.file.path, error.message)
        return None


@dataclass(eq=False, slots=True)
class _Telling:
    """What is told of a file while it comes, whoever brings it."""

    partial: Partial
    work: Bringing
    before: dict[str, int] = field(init=False)
    begun: bool = False

    def __post_init__(self) -> None:
        self.before = dict(self.work.by_source)

    def tell(self, done: int, note: str) -> None:
        work = self.work
        work.done, work.note, work.pieces = done, note, self.partial.drawn()
        for name, count in self.partial.by_source.items():
            work.by_source[name] = self.before.get(name, 0) + count
        if done and not self.begun:
            self.begun = True
            work.reached(Stage.FIRST_BYTES)
        work.told()


def proves(hashes: Hashes, wanted: Wanted) -> bool:
    """Whether these are the bytes that are meant: by their SHA-256, and by the name their blob is to get."""
    file = wanted.file
    return file.sha256 in (None, hashes.sha256) and file.blob in (hashes.sha256, hashes.git_sha1)


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
