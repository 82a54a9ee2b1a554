"""Looking after the library: what it holds, whether that is whole, and what may go."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from thorp.base.clock import Clock, Randomness
from thorp.base.hooks import nothing
from thorp.base.redact import without_folders
from thorp.models.adopt import Adopted, adopt
from thorp.models.aliases import give, take_back
from thorp.models.fetching import Pace
from thorp.models.library import Library, exact_ref
from thorp.models.ports import Stop
from thorp.models.prune import Item, plan_prune, prune
from thorp.models.receipts import Receipt, ReceiptFile
from thorp.models.remove import Removal, plan_removal, remove
from thorp.models.repair import Repairer
from thorp.models.resolve import Resolver
from thorp.models.rows import library_data, state_of
from thorp.models.stores import Stores
from thorp.models.transfers import Transfers
from thorp.models.verify import FileVerdict as Verdict
from thorp.models.verify import verify
from thorp.models.working import Progress, working
from thorp.wire.capabilities.models import (
    AliasAnswer,
    AliasName,
    AliasRequest,
    FileVerdict,
    ImportAnswer,
    Imported,
    ImportRequest,
    LibraryAnswer,
    ModelAnswer,
    ModelFile,
    ModelRef,
    ModelRow,
    ModelSource,
    ModelVerdict,
    PruneRequest,
    RemoveAnswer,
    Removed,
    RemoveRequest,
    RepairAnswer,
    RescanAnswer,
    SharedWith,
    Skipped,
    VerifyAnswer,
    VerifyRequest,
    WorkFrame,
)
from thorp.wire.capability import Call, Done, Nothing

What = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Links:
    """By which other programs get a file of this node."""

    torrent: str | None = None
    magnet: str | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """What others can have of a model."""

    shared: SharedWith = "nobody"
    links: Mapping[str, Links] = field(default_factory=dict[str, Links])  # by path


def kept_home(_receipt: Receipt) -> Outside:
    return Outside()


@dataclass(frozen=True, slots=True)
class LibraryDesk:
    library: Library
    stores: Stores
    resolver: Resolver
    repairer: Repairer
    transfers: Transfers
    clock: Clock
    randomness: Randomness
    pace: Callable[[], Pace]
    changed: Callable[[What, tuple[str, ...]], None]
    refresh: Callable[[], None] = nothing  # look again at what others may have; blocks
    outside: Callable[[Receipt], Outside] = kept_home

    async def every(self, call: Call[Nothing]) -> LibraryAnswer:
        data = await asyncio.to_thread(library_data, self.library)
        models = tuple(ModelRow.model_validate(one, strict=False) for one in data["models"])
        at_home, unreadable = call.principal.is_owner, tuple(data["unreadable"])
        return LibraryAnswer(
            folder=data["folder"] if at_home else None,
            models=models,
            unreadable=unreadable if at_home else tuple(map(without_folders, unreadable)),
        )

    async def show(self, call: Call[ModelRef]) -> ModelAnswer:
        shown = await asyncio.to_thread(self._shown, call.input.ref)
        return shown if call.principal.is_owner else without_places(shown)

    def _shown(self, ref: str) -> ModelAnswer:
        receipt = self.library.one(ref)
        kept, fit = self.library.state(receipt), self.resolver.fit(receipt.size_bytes)
        outside = self.outside(receipt)
        return ModelAnswer(
            model_id=receipt.model_id,
            aliases=receipt.aliases,
            repo=receipt.repo,
            revision=receipt.revision,
            artifact=receipt.artifact,
            version=receipt.version,
            format=receipt.format.value,
            files=tuple(self._file_row(receipt, one, outside.links.get(one.path, Links())) for one in receipt.files),
            claimed_by=receipt.claimed_by,
            license=receipt.license,
            gated=receipt.gated,
            shared=outside.shared,
            architecture=receipt.architecture,
            parameters=receipt.parameters,
            context_length=receipt.context_length,
            quant=receipt.quant,
            modalities=receipt.modalities,
            projector=receipt.projector,
            source=ModelSource(kind=receipt.source.kind.value, detail=receipt.source.detail),
            downloaded_at=receipt.downloaded_at,
            verified_at=receipt.verified_at,
            size_bytes=receipt.size_bytes,
            state=state_of(kept),
            reason=kept.missing,
            fit=fit.value if fit else None,
            receipt=str(self.library.path(receipt)),
        )

    def _file_row(self, receipt: Receipt, file: ReceiptFile, links: Links) -> ModelFile:
        there = self.library.cache.find(receipt.repo, receipt.revision, file)
        at = self.library.layout.file(receipt.repo, receipt.revision, file.path) if there else None
        return ModelFile(
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            infohash=file.infohash,
            at=str(at) if at else None,
            torrent=links.torrent,
            magnet=links.magnet,
        )

    async def verify(self, call: Call[VerifyRequest]) -> AsyncGenerator[WorkFrame | Done, None]:
        def work(progress: Progress, stop: Stop) -> tuple[ModelVerdict, ...]:
            chosen = (self.library.one(call.input.ref),) if call.input.ref else self.library.receipts()
            return tuple(self._verified(one, progress, stop) for one in chosen)

        results: list[tuple[ModelVerdict, ...]] = []
        async for frame in working(work, results):
            yield frame
        yield Done(VerifyAnswer(ok=all(one.ok for one in results[0]), models=results[0]))

    def _verified(self, receipt: Receipt, progress: Progress, stop: Stop) -> ModelVerdict:
        found = verify(self.library, receipt, clock=self.clock, progress=progress, stop=stop)
        return ModelVerdict(
            ref=exact_ref(receipt),
            model_id=receipt.model_id,
            ok=all(one.ok for one in found),
            files=tuple(map(verdict_row, found)),
        )

    async def repair(self, call: Call[ModelRef]) -> AsyncGenerator[WorkFrame | Done, None]:
        def work(progress: Progress, stop: Stop) -> RepairAnswer:
            receipt = self.library.one(call.input.ref)
            done = self.repairer.repair(receipt, self.pace(), progress, stop)
            return RepairAnswer(
                ok=True,
                ref=exact_ref(receipt),
                model_id=receipt.model_id,
                files=tuple(map(verdict_row, done.verdicts)),
                fetched=done.fetched,
            )

        results: list[RepairAnswer] = []
        async for frame in working(work, results):
            yield frame
        self.changed("changed", (results[0].model_id,))
        yield Done(results[0])

    async def remove(self, call: Call[RemoveRequest]) -> RemoveAnswer:
        receipt = await asyncio.to_thread(self.library.one, call.input.ref)
        await asyncio.to_thread(self.transfers.refuse_during, receipt.key)
        act = plan_removal if call.input.dry_run else self._remove
        done = await asyncio.to_thread(act, self.library, receipt)
        row = Removed(what=receipt.model_id, ref=exact_ref(receipt), reason="you asked for it", bytes=done.freed)
        if not call.input.dry_run:
            self.changed("removed", (receipt.model_id,))
        return RemoveAnswer(removed=(row,), freed_bytes=done.freed, dry_run=call.input.dry_run)

    def _remove(self, library: Library, receipt: Receipt) -> Removal:
        """When this returns, or fails, nobody is given another byte of what is not here any more."""
        try:
            return remove(library, receipt)
        finally:
            self.refresh()

    def _prune(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        try:
            return prune(self.library, items)
        finally:
            self.refresh()

    async def prune(self, call: Call[PruneRequest]) -> RemoveAnswer:
        items = await asyncio.to_thread(self._items, call.input.older_than)
        if not call.input.dry_run:
            items = await asyncio.to_thread(self._prune, items)
            self.changed("removed", tuple(one.what for one in items if one.receipt))
        rows = tuple(Removed(what=one.what, ref=one.ref, reason=one.reason, bytes=one.bytes) for one in items)
        return RemoveAnswer(removed=rows, freed_bytes=sum(one.bytes for one in rows), dry_run=call.input.dry_run)

    def _items(self, older_than: float | None) -> tuple[Item, ...]:
        live = self.transfers.live_partials()
        return plan_prune(self.library, self.clock.wall(), older_than=older_than, live=live)

    async def import_files(self, call: Call[ImportRequest]) -> AsyncGenerator[WorkFrame | Done, None]:
        asked = call.input

        def work(progress: Progress, stop: Stop) -> Adopted:
            return adopt(
                self.library,
                self.stores,
                self.clock,
                self.randomness,
                Path(asked.path),
                name=asked.name,
                license=asked.license,
                copies=asked.copy_files,
                progress=progress,
                stop=stop,
            )

        results: list[Adopted] = []
        async for frame in working(work, results):
            yield frame
        imported = tuple(
            Imported(
                ref=exact_ref(one.receipt),
                model_id=one.receipt.model_id,
                size_bytes=one.receipt.size_bytes,
                how=one.how,
                kept_back=one.kept,
            )
            for one in results[0].imported
        )
        self.changed("added", tuple(one.model_id for one in imported))
        skipped = tuple(Skipped(path=one.path, reason=one.reason) for one in results[0].skipped)
        yield Done(ImportAnswer(imported=imported, skipped=skipped))

    async def alias(self, call: Call[AliasRequest]) -> AliasAnswer:
        def work() -> Receipt:
            return give(self.library, call.input.name, self.library.one(call.input.ref))

        receipt = await asyncio.to_thread(work)
        self.changed("changed", (receipt.model_id,))
        return AliasAnswer(name=call.input.name, model_id=receipt.model_id, ref=exact_ref(receipt))

    async def unalias(self, call: Call[AliasName]) -> AliasAnswer:
        had = await asyncio.to_thread(take_back, self.library, call.input.name)
        self.changed("changed", tuple(one.model_id for one in had))
        return AliasAnswer(name=call.input.name, model_id=None, ref=None)

    async def rescan(self, call: Call[Nothing]) -> RescanAnswer:
        found = await asyncio.to_thread(self.library.rescan)
        self.changed("changed", ())
        at_home = call.principal.is_owner
        told = found.unreadable if at_home else tuple(map(without_folders, found.unreadable))
        return RescanAnswer(models=len(found.receipts), unreadable=told)


def without_places(shown: ModelAnswer) -> ModelAnswer:
    """What is in the library is for who may read it; where that lies is the owner's business."""
    files = tuple(one.model_copy(update={"at": None, "torrent": None}) for one in shown.files)
    reason = without_folders(shown.reason)
    return shown.model_copy(update={"files": files, "receipt": None, "reason": reason})


def verdict_row(verdict: Verdict) -> FileVerdict:
    problem = without_folders(verdict.problem)
    return FileVerdict(path=verdict.path, ok=verdict.ok, problem=problem, bad_pieces=verdict.bad_pieces)
