"""Fetches again what is wrong with a model's files, and nothing else. Blocks.

What is good of a damaged file moves into a partial, as if it had just come; then it is an ordinary pull.
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from thorp.base.errors import NetworkError, NotFoundError, TryAgainError
from thorp.base.files import explaining
from thorp.base.moments import rfc3339
from thorp.models.fetching import Pace
from thorp.models.files_in import bring, clear_partial, held_for_hub, stands_proven
from thorp.models.layout import digest_of
from thorp.models.offered import remote
from thorp.models.partial import Partial
from thorp.models.ports import Hub, Stop
from thorp.models.pull import Puller
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.types import RemoteFile, SourceKind, Wanted
from thorp.models.uses import filing
from thorp.models.verify import FileVerdict, verify
from thorp.swarm.recipes import PIECE

Progress = Callable[[str, int, int], None]


class NoSourceLeftError(NotFoundError):
    """Nobody is known who has the right bytes."""

    code = "models.no_source_left"


@dataclass(frozen=True, slots=True)
class Repaired:
    verdicts: tuple[FileVerdict, ...]  # as it was before
    fetched: int


@dataclass(frozen=True, slots=True)
class Repairer:
    puller: Puller
    hub: Hub

    def repair(self, receipt: Receipt, pace: Pace, progress: Progress, stop: Stop) -> Repaired:
        verdicts = verify(self.puller.library, receipt, clock=self.puller.clock, progress=progress, stop=stop)
        bad = {one.path: one for one in verdicts if not one.ok}
        self._clear_after_the_dead(receipt, bad)
        if not bad:
            return Repaired(verdicts, 0)
        fetched = 0
        files = self._wanted(receipt, bad)
        for file in files:
            wanted = Wanted(receipt.repo, receipt.revision, file)
            fetched += self._bring(wanted, bad[file.path], pace, progress, stop)
        now = rfc3339(self.puller.clock.wall())
        with filing(self.puller.library.layout.repo(receipt.repo)):
            for file in files:
                self._enter(receipt, file)
            latest = read_receipt(self.puller.library.path(receipt))  # it may have got another name meanwhile
            self.puller.library.put(replace(latest, verified_at=now))
            self.puller.library.note_damage(latest, damaged=False)
        return Repaired(verdicts, fetched)

    def _clear_after_the_dead(self, receipt: Receipt, bad: Mapping[str, FileVerdict]) -> None:
        """Whole files have no partial; one that was killed after its last byte left one."""
        for file in receipt.files:
            if file.path not in bad:
                folder = self.puller.library.layout.partial(receipt.repo, digest_of(file.sha256))
                clear_partial(folder, file.size)

    def _wanted(self, receipt: Receipt, bad: Mapping[str, FileVerdict]) -> tuple[RemoteFile, ...]:
        """The bad files as the hub lists them at this very revision, or as neighbours do who have the same bytes."""
        near = self._near(receipt, bad)
        if len(near) == len(bad):
            return near
        if receipt.source.kind is not SourceKind.HUB and receipt.version == "local":
            raise NoSourceLeftError(
                f"{receipt.model_id} was imported, and nobody is known who has its bytes. Import it again, or remove "
                "it.",
                model_id=receipt.model_id,
            )
        listed = {one.path: one for one in self.hub.repo(receipt.repo, receipt.revision).files}
        known = {one.path: one.sha256 for one in receipt.files}
        wanted = tuple(listed[path] for path in bad if path in listed)
        if len(wanted) < len(bad) or any(one.sha256 not in (None, known[one.path]) for one in wanted):
            raise NoSourceLeftError(
                f"{self.hub.where} does not have the files of {receipt.model_id} at this revision any more.",
                model_id=receipt.model_id,
            )
        return wanted

    def _near(self, receipt: Receipt, bad: Mapping[str, FileVerdict]) -> tuple[RemoteFile, ...]:
        """Files of the same place and the same SHA-256 that neighbours have; they need no hub to be found."""
        known = {one.path: (one.sha256, one.size) for one in receipt.files}
        found: dict[str, RemoteFile] = {}
        with suppress(NetworkError, NotFoundError, TryAgainError):
            for one in self.puller.neighbours.models():
                if (one.repo, one.revision) == (receipt.repo, receipt.revision):
                    found |= {
                        file.path: remote(file)
                        for file in one.files
                        if file.path in bad and (file.sha256, file.size) == known[file.path]
                    }
        return tuple(found[path] for path in bad if path in found)

    def _bring(self, wanted: Wanted, verdict: FileVerdict, pace: Pace, progress: Progress, stop: Stop) -> int:
        file = wanted.file
        work = self.puller.bringing(wanted, pace, stop)
        work.told = lambda: progress(file.path, work.done, file.size)
        if not verdict.bad_pieces and stands_proven(wanted, work):  # only the name that leads to it is wrong
            return 0
        self._seed(wanted, verdict)
        bring(wanted, work)
        return sum(work.by_source.values())

    def _seed(self, wanted: Wanted, verdict: FileVerdict) -> None:
        """Make a partial of the damaged file, in which all but the bad pieces is here."""
        layout, file = self.puller.library.layout, wanted.file
        digest = digest_of(file.blob)
        blob, entry = layout.blob(wanted.repo, digest), layout.file(wanted.repo, wanted.revision, file.path)
        damaged = blob if blob.is_file() and not blob.is_symlink() else entry
        if not damaged.is_file() or damaged.is_symlink():
            return
        with held_for_hub(layout.hub_lock(wanted.repo, digest)) as free:
            partial = Partial.held(layout.partial(wanted.repo, digest), file.size) if free else None
            if partial is None:
                return
            try:
                for first, end in good_spans(file.size, verdict.bad_pieces):
                    partial.blocks.mark(first, end)
                partial.note()  # before the bytes: a note without bytes is passed over
                with explaining("repair", damaged):
                    if damaged.lstat().st_nlink > 1:  # somebody else's name for these bytes stays as it is
                        shutil.copyfile(damaged, partial.data)
                        damaged.unlink()
                    else:
                        damaged.replace(partial.data)
            finally:
                partial.release()

    def _enter(self, receipt: Receipt, file: RemoteFile) -> None:
        cache, digest = self.puller.library.cache, digest_of(file.blob)
        if cache.has_blob(receipt.repo, digest, file.size):
            cache.enter(receipt.repo, receipt.revision, file.path, digest)


def good_spans(size: int, bad_pieces: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """The bytes that can be kept; none where nobody knows which pieces are bad."""
    if not bad_pieces:
        return ()
    pieces = range(-(-size // PIECE))
    return tuple((one * PIECE, min(size, (one + 1) * PIECE)) for one in pieces if one not in bad_pieces)
