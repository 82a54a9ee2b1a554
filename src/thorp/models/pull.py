"""Performs one pull: every file proven and kept, the header read, then the receipt. Blocks; `stop` ends it anywhere.

Nothing is entered into the library before all of it is here and right.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import IntegrityError, TryAgainError
from thorp.base.moments import rfc3339
from thorp.formats.facts import ModelFacts, read_facts
from thorp.models.fetching import Pace
from thorp.models.files_in import Bringing, Brought, bring, clear_partial, set_aside
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.partial import bytes_noted
from thorp.models.plan import PullPlan
from thorp.models.ports import ByteSource, Stop
from thorp.models.receipts import Origin, Receipt, ReceiptFile
from thorp.models.room import check_room
from thorp.models.sealed import Bytes, sealed
from thorp.models.stages import Reached, Stage, unwatched
from thorp.models.stores import Stores
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

    def pull(self, plan: PullPlan, pace: Pace, told: Told, stop: Stop) -> Receipt:
        """Return when the whole artifact is in the library, verified."""
        self.stores.open(self.library.layout.hub, self.randomness)
        self.reached(Stage.STORE_OPEN)
        check_room(self.library.layout.hub, self.missing(plan))
        self.reached(Stage.ROOM_CHECKED)
        brought, by_source = self._bring_all(plan, pace, told, stop)
        with filing(self.library.layout.repo(plan.repo)):
            self._check_all_there(plan)
            self._enter(plan)
            told(Standing(plan.size, plan.size, by_source, "reading its header", verifying=True))
            facts = self._read_facts(plan, brought)
            self.reached(Stage.HEADER_READ)
            with filing(self.library.layout.receipts):
                receipt = self._receipt(plan, brought, facts, by_source)
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

    def _bring_all(
        self, plan: PullPlan, pace: Pace, told: Told, stop: Stop
    ) -> tuple[dict[str, Brought], dict[str, int]]:
        brought: dict[str, Brought] = {}
        before = 0
        by_source: dict[str, int] = {}
        notes: list[str] = []
        for file in plan.files:
            work = Bringing(self.library, self.sources(), pace, stop, lambda: None, self.reached)
            work.by_source = by_source

            def tell(work: Bringing = work, before: int = before) -> None:
                told(Standing(plan.size, before + work.done, dict(work.by_source), work.note))

            work.told = tell
            brought[file.path] = bring(Wanted(plan.repo, plan.revision, file), work)
            if note := brought[file.path].note:
                notes.append(note)
            before += file.size
            told(Standing(plan.size, before, dict(by_source), " ".join(notes)))
        return brought, by_source

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
        if plan.version != plan.revision:
            self.library.cache.point(plan.repo, plan.version, plan.revision)
        self.reached(Stage.POINTED)

    def _receipt(
        self, plan: PullPlan, brought: Mapping[str, Brought], facts: ModelFacts, by_source: Mapping[str, int]
    ) -> Receipt:
        now = rfc3339(self.clock.wall())
        kind, detail = self._origin(by_source)
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
            aliases=self._aliases(plan),
            license=plan.license or facts.license,
            gated=plan.gated,
            architecture=facts.architecture,
            parameters=facts.parameters or plan.parameters,
            context_length=facts.context_length,
            quant=plan.quant,
            modalities=facts.modalities,
            projector=plan.projector,
        )

    def _aliases(self, plan: PullPlan) -> tuple[str, ...]:
        """Names the owner gave this very artifact before."""
        return next((one.aliases for one in self.library.receipts() if one.key == plan.key), ())

    def _origin(self, by_source: Mapping[str, int]) -> tuple[SourceKind, str]:
        sources = {one.kind.value: one.detail for one in self.sources()}
        name = max(by_source, key=by_source.__getitem__, default=SourceKind.HUB.value)
        return SourceKind(name), sources.get(name, "")

    def _sealed(self, plan: PullPlan, file: RemoteFile, brought: Brought, kind: SourceKind) -> ReceiptFile:
        card = {"format": plan.format.value, "model_id": plan.model_id, "revision": plan.revision, "source": kind.value}
        proven = Bytes(file.path, file.size, brought.sha256, brought.pieces)
        return sealed(self.library.layout, proven, card, gated=plan.gated)
