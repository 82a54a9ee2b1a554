"""Sharing as others ask for it: a model of this node, a folder, a repository, or everything.

Repositories are cloned into a folder of the home that is gone again afterwards, whatever came of it.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from thorp.base.clock import Clock, Randomness
from thorp.base.files import explaining
from thorp.base.redact import without_folders
from thorp.identity.principals import Principal
from thorp.models.adopt import OF_ONE, adopt
from thorp.models.adopt_files import Progress
from thorp.models.adopt_sources import NameNeededError
from thorp.models.adopt_types import Adopted, ImportedModel
from thorp.models.git_fetch import BOUNDS, Bounds, Fetched, GitFetch, Wanted
from thorp.models.git_plan import Address, read_address
from thorp.models.git_run import PROGRAMS, GitRun
from thorp.models.library import Library, exact_ref
from thorp.models.own_folder import check_own, screened
from thorp.models.ports import Stop
from thorp.models.publish import Outcome, Publisher, magnets_of
from thorp.models.publish_plan import (
    GATED,
    Kind,
    NotShareableError,
    Terms,
    kind_of,
    other_license,
    refuse_for,
    refuse_while_off,
    terms_of,
    why_not,
)
from thorp.models.receipts import Origin, Receipt, read_receipt
from thorp.models.refs import check_repo, check_revision
from thorp.models.shared import is_kept_back
from thorp.models.stores import Stores
from thorp.models.types import SourceKind
from thorp.models.uses import InUseError, filing, take
from thorp.models.working import working
from thorp.wire.capabilities.models import Skipped, WorkFrame
from thorp.wire.capabilities.publishing import (
    MODEL_SHARE,
    MODEL_UNSHARE,
    ShareAnswer,
    Shared,
    ShareRequest,
    UnshareAnswer,
    UnshareRequest,
)
from thorp.wire.capability import Call, Done, Offer

PUBLISHING: Final = "publishing"  # where repositories are cloned to, beside everything else of the home's data
AT_THE_MACHINE: Final = ""  # the credential of an owner on the socket, or in the very process


class Seeding(Protocol):
    """Whoever hands out bytes: the engines, and the line to members."""

    def refresh(self) -> None:
        """Look again at what is shared. Returns when what is shared no more gets nobody another byte."""
        ...


def always() -> bool:
    return True


class NoSeeding:
    """While no node runs nobody gets anything."""

    def refresh(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class ShareDesk:
    library: Library
    stores: Stores
    clock: Clock
    randomness: Randomness
    publisher: Publisher
    seeding: Seeding
    changed: Callable[[tuple[str, ...]], None]  # ids of models that are shared in another way now
    everybody: Callable[[], bool] = always  # whether anything is handed to everybody
    household: Callable[[], bool] = always
    bounds: Bounds = BOUNDS
    programs: str = PROGRAMS

    async def share(self, call: Call[ShareRequest]) -> AsyncGenerator[WorkFrame | Done, None]:
        kind = kind_of(call.input)
        refuse_for(call.principal, kind, call.input)
        refuse_while_off(call.input, everybody=self.everybody(), household=self.household())
        sharing = _Sharing(self, call.input, call.principal, terms_of(call.input, call.principal), kind)
        results: list[ShareAnswer] = []
        async for frame in working(sharing.work, results):
            yield frame
        self.changed(tuple(one.model_id for one in results[0].shared))
        yield Done(results[0])

    async def unshare(self, call: Call[UnshareRequest]) -> UnshareAnswer:
        def work() -> UnshareAnswer:
            receipt = self.library.one(call.input.ref)
            try:
                was_public = self.publisher.unshare(receipt)
            finally:
                self.seeding.refresh()
            return UnshareAnswer(ref=exact_ref(receipt), model_id=receipt.model_id, was_public=was_public)

        answer = await asyncio.to_thread(work)
        self.changed((answer.model_id,))
        return answer


@dataclass(frozen=True, slots=True)
class _Sharing:
    """One request to share, as its thread works on it."""

    desk: ShareDesk
    asked: ShareRequest
    principal: Principal
    terms: Terms
    kind: Kind

    def work(self, progress: Progress, stop: Stop) -> ShareAnswer:
        try:
            match self.kind:
                case Kind.REF:
                    return self._shared((self.desk.library.one(self.asked.ref or ""),), (), progress, stop)
                case Kind.ALL:
                    return self._every(progress, stop)
                case Kind.PATH:
                    return self.entered(self._own(progress, stop), (), progress, stop)
                case Kind.GIT:
                    return self._cloned(progress, stop)
        finally:
            self.desk.seeding.refresh()

    def _every(self, progress: Progress, stop: Stop) -> ShareAnswer:
        chosen: list[Receipt] = []
        skipped: list[Skipped] = []
        for kept in self.desk.library.kept():
            why = why_not(kept, self.terms, self.kind, kept_back=is_kept_back(self.desk.library, kept.receipt))
            if why:
                skipped.append(Skipped(path=exact_ref(kept.receipt), reason=without_folders(why)))
            else:
                chosen.append(kept.receipt)
        return self._shared(chosen, skipped, progress, stop)

    def _own(self, progress: Progress, stop: Stop) -> Adopted:
        return self.adopted(check_own(Path(self.asked.path or "")), self.asked.name, progress, stop)

    def adopted(self, source: Path, name: str | None, progress: Progress, stop: Stop) -> Adopted:
        desk = self.desk
        return adopt(
            desk.library,
            desk.stores,
            desk.clock,
            desk.randomness,
            source,
            name=name,
            license=self.terms.license,
            copies=self.asked.copy_files or self.kind is Kind.GIT,
            progress=progress,
            stop=stop,
            screen=screened,
        )

    def _cloned(self, progress: Progress, stop: Stop) -> ShareAnswer:
        address = read_address(self.asked.git or "", files=self.principal.credential == AT_THE_MACHINE)
        name = self._name(address)
        branch = check_revision(self.asked.branch) if self.asked.branch else None
        with scratch(self.desk.library.layout.stores.with_name(PUBLISHING), self.desk.randomness) as folder:
            run = GitRun(folder, name, address, self.desk.clock, stop, self.desk.programs)
            fetch = GitFetch(run, progress, self.desk.bounds)
            fetched = fetch.fetch(Wanted(branch, self.asked.depth, self.asked.skip_lfs))
            sharing = self._as_card_says(name, fetched)
            adopted = sharing.adopted(fetched.folder, name, progress, stop)
        origin = Origin(SourceKind.GIT, f"{address.url}@{fetched.commit}")
        imported = tuple(self._from(origin, one) for one in adopted.imported)
        skipped = tuple(Skipped(path=path, reason=reason) for path, reason in fetched.left_out)
        return sharing.entered(replace(adopted, imported=imported), skipped, progress, stop)

    def _name(self, address: Address) -> str:
        name = self.asked.name or address.name
        if name is None:
            raise NameNeededError(f"`{address.url}` does not end in `owner/name`. Say one: `--name owner/name`.")
        return check_repo(name)

    def _as_card_says(self, name: str, fetched: Fetched) -> "_Sharing":
        """The same with the licence that the repository names, where nobody named one."""
        if fetched.card.gated:
            raise NotShareableError(f"{name} is not shared: {GATED}.", repo=name)
        if why := other_license(fetched.card.license, self.terms.license):
            raise NotShareableError(f"{name} is not shared: {why}.", repo=name)
        license_ = self.terms.license or fetched.card.license
        return replace(self, terms=replace(self.terms, license=license_))

    def _from(self, origin: Origin, one: ImportedModel) -> ImportedModel:
        """Where it came from in the end; what was here already keeps what it says."""
        library = self.desk.library
        if one.how == "present" or one.receipt.source.kind is not SourceKind.IMPORT:
            return one
        with filing(library.layout.receipts):
            receipt = replace(read_receipt(library.path(one.receipt)), source=origin)
            library.put(receipt)
        return replace(one, receipt=receipt)

    def entered(self, adopted: Adopted, skipped: Iterable[Skipped], progress: Progress, stop: Stop) -> ShareAnswer:
        rest = tuple(Skipped(path=one.path, reason=one.reason) for one in adopted.skipped)
        return self._shared([one.receipt for one in adopted.imported], (*skipped, *rest), progress, stop)

    def _shared(
        self, receipts: Iterable[Receipt], skipped: Iterable[Skipped], progress: Progress, stop: Stop
    ) -> ShareAnswer:
        """Every one of them; of several, one that cannot be shared keeps the others from nothing."""
        chosen, left_out = tuple(receipts), list(skipped)
        outcomes: list[Outcome] = []
        for one in chosen:
            try:
                outcomes.append(self.desk.publisher.share(one, self.terms, self.kind, progress, stop))
            except (*OF_ONE, NotShareableError, InUseError) as error:
                if len(chosen) == 1:
                    raise
                left_out.append(Skipped(path=exact_ref(one), reason=without_folders(error.message)))
        return ShareAnswer(shared=tuple(map(shared_row, outcomes)), skipped=tuple(left_out))


def shared_row(outcome: Outcome) -> Shared:
    receipt, signed = outcome.receipt, outcome.signed
    said = signed.publication if signed else None
    household = tuple(one.infohash for one in receipt.files if one.infohash)
    return Shared(
        ref=exact_ref(receipt),
        model_id=receipt.model_id,
        name=receipt.repo,
        size_bytes=receipt.size_bytes,
        license=(said.license if said else None) or receipt.license,
        files=len(receipt.files),
        public=said is not None and any(one.recipe == "public" for one in said.torrents),
        signed=said is not None,
        publisher=said.publisher if said else None,
        infohashes=tuple(one.infohash for one in said.torrents) if said else household,
        magnets=tuple(magnets_of(said).values()) if said else (),
    )


@contextmanager
def scratch(top: Path, randomness: Randomness) -> Generator[Path]:
    """A folder of one's own below `top`. Those of processes that died are cleared away first."""
    with explaining("make", top), filing(top):  # nobody clears away what is not locked yet
        for left in top.iterdir():
            _clear_dead(left)
        folder = top / randomness.bytes(8).hex()
        folder.mkdir(0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        is_ours = take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        if not is_ours:
            raise InUseError(f"`{folder}` was taken by another process before anything was in it. Try again.")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # somebody else clones something
            top.rmdir()


def _clear_dead(left: Path) -> None:
    with suppress(OSError):
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(handle)


def share_offers(desk: ShareDesk) -> tuple[Offer, ...]:
    """What goes onto the bus."""
    return (Offer(MODEL_SHARE, streamed=desk.share), Offer(MODEL_UNSHARE, unary=desk.unshare))
