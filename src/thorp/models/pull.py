"""Performs one pull: every file proven and kept, the header read, then the receipt. Blocks; `stop` ends it anywhere.

Nothing is entered into the library before all of it is here and right.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import IntegrityError, TryAgainError
from thorp.base.moments import rfc3339
from thorp.formats.facts import ModelFacts, read_facts
from thorp.models.adopt_filing import ContradictionError
from thorp.models.fetching import Pace
from thorp.models.files_in import Bringing, Brought, bring, clear_partial, set_aside
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.offered import NO_NEIGHBOURS
from thorp.models.partial import bytes_noted
from thorp.models.plan import PullPlan
from thorp.models.ports import ByteSource, Neighbours, Stop
from thorp.models.receipts import Origin, Receipt, ReceiptFile
from thorp.models.room import check_room
from thorp.models.sealed import Bytes, card, sealed
from thorp.models.sources.lan import lan_sources
from thorp.models.stages import Reached, Stage, unwatched
from thorp.models.stores import Stores
from thorp.models.swarming import Swarm
from thorp.models.types import Format, RemoteFile, SourceKind, Wanted
from thorp.models.uses import filing


class VanishedError(TryAgainError):
    """A file that was here a moment ago is gone."""

    code = "models.vanished"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a pull is."""

    total: int
    done: int
    by_source: Mapping[str, int]
    note: str = ""
    pieces: str = ""  # of the file on its way: a letter each, by where it came from
    verifying: bool = False


Told = Callable[[Standing], None]


@dataclass(frozen=True, slots=True)
class Puller:
    """How pulls are performed on this node."""

    library: Library
    stores: Stores
    sources: Callable[[], tuple[ByteSource, ...]]
    clock: Clock
    randomness: Randomness
    reached: Reached = field(default=unwatched)
    neighbours: Neighbours = NO_NEIGHBOURS
    swarm: Swarm | None = None

    def sources_for(self, wanted: Wanted, only: str | None = None) -> tuple[ByteSource, ...]:
        """Who may have the bytes of a file, neighbours first; `only`: of one kind."""
        near = () if only == SourceKind.HUB else lan_sources(self.neighbours, wanted, self.randomness)
        return near if only == SourceKind.LAN else (*near, *self.sources())

    def bringing(self, wanted: Wanted, pace: Pace, stop: Stop, only: str | None = None) -> Bringing:
        """What one file needs on its way."""
        sources = self.sources_for(wanted, only)
        return Bringing(self.library, sources, pace, stop, lambda: None, self.reached, swarm=self.swarm)

    def pull(self, plan: PullPlan, pace: Pace, told: Told, stop: Stop) -> Receipt:
        """Return when the whole artifact is in the library, verified."""
        self.stores.open(self.library.layout.hub, self.randomness)
        self.reached(Stage.STORE_OPEN)
        self._refuse_contradiction(plan)
        check_room(self.library.layout.hub, self.missing(plan))
        self.reached(Stage.ROOM_CHECKED)
        brought, standing = self._bring_all(plan, pace, told, stop)
        with filing(self.library.layout.repo(plan.repo)):
            self._check_all_there(plan)
            self._enter(plan)
            told(replace(standing, note="reading its header", verifying=True))
            facts = self._read_facts(plan, brought)
            self.reached(Stage.HEADER_READ)
            with filing(self.library.layout.receipts):
                receipt = self._receipt(plan, brought, facts, standing.by_source)
                self.library.put(receipt, {one.sha256: one.pieces for one in brought.values()})
            self.library.note_damage(receipt, damaged=False)
        self.reached(Stage.RECEIPT_WRITTEN)
        return receipt

    def missing(self, plan: PullPlan) -> int:
        """Bytes that still have to come."""
        layout = self.library.layout
        rest = 0
        for file in plan.files:
            digest = digest_of(file.blob)
            if not self.library.cache.has_blob(plan.repo, digest, file.size):
                rest += file.size - bytes_noted(layout.partial(plan.repo, digest), file.size)
        return rest

    def discard(self, plan: PullPlan) -> None:
        """Remove what a pull has fetched of files that are not whole."""
        for file in plan.files:
            clear_partial(self.library.layout.partial(plan.repo, digest_of(file.blob)), file.size)
        top = self.library.layout.repo(plan.repo)
        with filing(top), suppress(OSError):  # something lies there
            top.rmdir()

    def _bring_all(self, plan: PullPlan, pace: Pace, told: Told, stop: Stop) -> tuple[dict[str, Brought], Standing]:
        """All files, and what is told of the whole at its end: drawn is the last file that came."""
        brought: dict[str, Brought] = {}
        before = 0
        by_source: dict[str, int] = {}
        notes: list[str] = []
        drawn = ""
        for file in plan.files:
            wanted = Wanted(plan.repo, plan.revision, file)
            work = self.bringing(wanted, pace, stop, plan.only)
            work.by_source = by_source

            def tell(work: Bringing = work, before: int = before) -> None:
                told(Standing(plan.size, before + work.done, dict(work.by_source), work.note, work.pieces))

            work.told = tell
            brought[file.path] = bring(wanted, work)
            if note := brought[file.path].note:
                notes.append(note)
            before += file.size
            drawn = work.pieces or drawn
            told(Standing(plan.size, before, dict(by_source), " ".join(notes), drawn))
        return brought, Standing(plan.size, before, dict(by_source), pieces=drawn)

    def _refuse_contradiction(self, plan: PullPlan) -> None:
        """A neighbour's word never replaces what is proven and whole here under the same revision."""
        if plan.claimed_by is None:
            return
        claimed = {one.path: one.sha256 for one in plan.files}
        for receipt in self.library.receipts():
            if (receipt.repo, receipt.revision) == (plan.repo, plan.revision) and self.library.state(receipt).complete:
                for file in receipt.files:
                    if claimed.get(file.path, file.sha256) != file.sha256:
                        raise ContradictionError(
                            f"`{file.path}` of {plan.repo} is here with the SHA-256 {file.sha256}, and a neighbour "
                            f"({plan.claimed_by}) says {claimed[file.path]} at the same revision. One of them is "
                            "wrong. Nothing was fetched.",
                            repo=plan.repo,
                        )

    def _check_all_there(self, plan: PullPlan) -> None:
        """What was proven may have been removed since, by somebody who removed another model with the same file."""
        for file in plan.files:
            if not self.library.cache.has_blob(plan.repo, digest_of(file.blob), file.size):
                raise VanishedError(
                    f"`{file.path}` of {plan.repo} was removed while the rest was on its way. Pull it again.",
                    path=file.path,
                )

    def _read_facts(self, plan: PullPlan, brought: Mapping[str, Brought]) -> ModelFacts:
        """What the headers say. A model that cannot be read as one is set aside, whatever its hash.

        What it shares with a model that is in the library stays, and so does what was here before.
        """
        places = {one.path: self.library.layout.file(plan.repo, plan.revision, one.path) for one in plan.files}
        model = [at for path, at in places.items() if path != plan.projector]
        try:
            facts = read_facts(model)
            if plan.projector:
                read_facts([places[plan.projector]])
        except IntegrityError:
            receipts = [one for one in self.library.receipts() if one.repo == plan.repo]
            shared = {file.sha256 for one in receipts for file in one.files}
            for one in plan.files:
                if brought[one.path].fetched and brought[one.path].sha256 not in shared:
                    self._set_aside(plan, one, places[one.path])
            raise
        return facts

    def _set_aside(self, plan: PullPlan, file: RemoteFile, entry: Path) -> None:
        digest = digest_of(file.blob)
        blob = self.library.layout.blob(plan.repo, digest)
        set_aside(self.library, plan.repo, digest, blob if blob.exists() else entry)
        entry.unlink(missing_ok=True)

    def _enter(self, plan: PullPlan) -> None:
        for file in plan.files:
            self.library.cache.enter(plan.repo, plan.revision, file.path, digest_of(file.blob))
        self.reached(Stage.ENTERED)
        if plan.version != plan.revision and not (plan.claimed_by and self._stands_for_something(plan)):
            self.library.cache.point(plan.repo, plan.version, plan.revision)
        self.reached(Stage.POINTED)

    def _stands_for_something(self, plan: PullPlan) -> bool:
        """Whether somebody said before what the branch is; a neighbour's word does not change that."""
        return self.library.layout.ref(plan.repo, plan.version).exists()

    def _receipt(
        self, plan: PullPlan, brought: Mapping[str, Brought], facts: ModelFacts, by_source: Mapping[str, int]
    ) -> Receipt:
        now, before = rfc3339(self.clock.wall()), self._before(plan)
        if before is not None and plan.claimed_by is not None and is_of(before, brought):
            self.reached(Stage.SEALED)
            return replace(before, verified_at=now)  # a neighbour's word changes nothing about where it came from
        kind, detail = self._origin(plan, brought, by_source)
        files = tuple(self._sealed(plan, file, brought[file.path], kind) for file in plan.files)
        self.reached(Stage.SEALED)
        return Receipt(
            model_id=plan.model_id,
            repo=plan.repo,
            revision=plan.revision,
            version=plan.version,
            artifact=plan.artifact,
            format=Format(facts.format),
            files=files,
            source=Origin(kind, detail),
            downloaded_at=now,
            verified_at=now,
            aliases=before.aliases if before is not None else (),
            claimed_by=plan.claimed_by,
            license=plan.license or facts.license,
            gated=plan.gated,
            architecture=facts.architecture,
            parameters=facts.parameters or plan.parameters,
            context_length=facts.context_length,
            quant=plan.quant,
            modalities=facts.modalities,
            projector=plan.projector,
        )

    def _before(self, plan: PullPlan) -> Receipt | None:
        """What is said of this very artifact until now, the owner's names for it with it."""
        return next((one for one in self.library.receipts() if one.key == plan.key), None)

    def _origin(
        self, plan: PullPlan, brought: Mapping[str, Brought], by_source: Mapping[str, int]
    ) -> tuple[SourceKind, str]:
        gave = sorted((source for one in brought.values() for source in one.given_by), key=lambda one: one.detail)
        sources = {one.kind.value: one.detail for one in (*self.sources(), *gave)}
        without = SourceKind.LAN if plan.claimed_by else SourceKind.HUB
        name = max(by_source, key=by_source.__getitem__, default=without.value)
        return SourceKind(name), sources.get(name, "")

    def _sealed(self, plan: PullPlan, file: RemoteFile, brought: Brought, kind: SourceKind) -> ReceiptFile:
        proven = Bytes(file.path, file.size, brought.sha256, brought.pieces)
        said = card(plan.format, plan.model_id, plan.revision, kind)
        return sealed(self.library.layout, proven, said, gated=plan.gated, rides=plan.rides)


def is_of(receipt: Receipt, brought: Mapping[str, Brought]) -> bool:
    """Whether it is about these very bytes."""
    return {one.path: one.sha256 for one in receipt.files} == {path: one.sha256 for path, one in brought.items()}
