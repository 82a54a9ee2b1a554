"""Looking for models and beginning to pull them."""

import asyncio
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from thorp.identity.scopes import Scope
from thorp.models.library import AmbiguousError
from thorp.models.ports import Hub
from thorp.models.receipts import Receipt
from thorp.models.resolve import Ask, Meaning, Resolver
from thorp.models.rows import complete_data
from thorp.models.transfers import Transfers
from thorp.models.types import Candidate, Hit, RemoteRepo, SourceKind
from thorp.wire.capabilities.hub import HubHit, HubHits, HubSearch
from thorp.wire.capabilities.models import Badge, Choice, PullAnswer, PullRequest, ResolveAnswer, ResolveRequest
from thorp.wire.capability import Call

HOUSEHOLD = "the household"


@dataclass(frozen=True, slots=True)
class PullDesk:
    resolver: Resolver
    transfers: Transfers
    hub: Hub
    open_hub: Hub  # without the owner's token, for who may only look

    async def search(self, call: Call[HubSearch]) -> HubHits:
        if call.input.source == SourceKind.LAN:
            near = await asyncio.to_thread(self.resolver.near, call.input.q, call.input.limit)
            return HubHits(hub=HOUSEHOLD, results=tuple(map(hit_row, near)))
        hits = await asyncio.to_thread(self._hub_for(call).search, call.input.q, call.input.limit)
        return HubHits(hub=self.hub.where, results=tuple(map(hit_row, hits)))

    async def resolve(self, call: Call[ResolveRequest]) -> ResolveAnswer:
        try:
            resolver = replace(self.resolver, hub=self._hub_for(call))
            meaning = await asyncio.to_thread(resolver.meaning, ask_of(call.input))
        except AmbiguousError as error:  # several of the library: here that is an answer
            return self._several_kept(call.input.ref, error)
        return await asyncio.to_thread(self._answer, meaning)

    async def pull(self, call: Call[PullRequest]) -> PullAnswer:
        meaning = await asyncio.to_thread(self.resolver.meaning, ask_of(call.input))
        if call.input.yes:
            meaning = await asyncio.to_thread(self.resolver.first_choice, meaning)
        if meaning.kept is not None:
            return PullAnswer(**complete_data(call.input.ref, meaning.kept.receipt))
        plan = meaning.plan()
        if plan is None:
            raise await asyncio.to_thread(self._several, meaning)
        record = await self.transfers.start(plan, call.input.limit)
        return PullAnswer(
            transfer_id=record.id,
            ref=call.input.ref,
            model_id=plan.model_id,
            repo=plan.repo,
            revision=plan.revision,
            size_bytes=plan.size,
            license=plan.license,
            gated=plan.gated,
            state=record.state.value,
        )

    def _hub_for(self, call: Call[Any]) -> Hub:
        """What the owner's account at the hub may see is for the owner, and for who may pull with it."""
        lent = call.principal.is_owner or Scope.MODELS_WRITE in call.principal.scopes
        return self.hub if lent else self.open_hub

    def _answer(self, meaning: Meaning) -> ResolveAnswer:
        if meaning.kept is not None:
            return self._kept_answer(meaning.ask.ref, meaning.kept.receipt)
        repos = tuple(map(hit_row, meaning.hits))
        return self._told(meaning.ask.ref, meaning.repo, self._choices(meaning), repos=repos)

    def _kept_answer(self, ref: str, receipt: Receipt) -> ResolveAnswer:
        choice = Choice(
            ref=ref,
            model_id=receipt.model_id,
            quant=receipt.quant or "unknown",
            size_bytes=receipt.size_bytes,
            files=len(receipt.files),
            fit=self._fit(receipt.size_bytes),
            recommended=True,
        )
        return self._told(ref, receipt, (choice,), in_library=True)

    def _several_kept(self, ref: str, error: AmbiguousError) -> ResolveAnswer:
        listed = cast("list[dict[str, Any]]", error.details["choices"])
        return self._told(ref, None, tuple(map(self._kept_choice, listed)), in_library=True)

    def _kept_choice(self, listed: dict[str, Any]) -> Choice:
        fit = self._fit(listed["size_bytes"])
        return Choice.model_validate(listed | {"quant": listed["quant"] or "unknown", "fit": fit, "recommended": False})

    def _told(
        self,
        ref: str,
        about: RemoteRepo | Receipt | None,
        choices: tuple[Choice, ...],
        *,
        repos: tuple[HubHit, ...] = (),
        in_library: bool = False,
    ) -> ResolveAnswer:
        return ResolveAnswer(
            ref=ref,
            repo=about.repo if about else None,
            revision=about.revision if about else None,
            license=about.license if about else None,
            gated=bool(about and about.gated),
            in_library=in_library,
            repos=repos,
            choices=choices,
            free_bytes=self._free(),
        )

    def _fit(self, size: int) -> Badge | None:
        fit = self.resolver.fit(size)
        return fit.value if fit else None

    def _choices(self, meaning: Meaning) -> tuple[Choice, ...]:
        if not meaning.choices:
            return ()
        best = self.resolver.recommended(meaning.choices)
        alike = Counter(one.quant for one in meaning.choices)
        return tuple(
            self._choice(one, choice_ref(meaning, one, alike[one.quant]), recommended=one is best)
            for one in meaning.choices
        )

    def _choice(self, candidate: Candidate, ref: str, *, recommended: bool) -> Choice:
        return Choice(
            ref=ref,
            model_id=candidate.model_id,
            quant=candidate.quant,
            size_bytes=candidate.size,
            files=len(candidate.every_file),
            fit=self._fit(candidate.size),
            recommended=recommended,
        )

    def _several(self, meaning: Meaning) -> AmbiguousError:
        """An error that lists what there is to choose from."""
        if meaning.hits:
            repos = [hit_row(one).model_dump(mode="json") for one in meaning.hits]
            return AmbiguousError(
                f"`{meaning.ask.ref}` finds {len(repos)} repositories. Name one of them, or say `--yes` to take the "
                "most downloaded one.",
                repos=repos,
            )
        choices = [one.model_dump(mode="json") for one in self._choices(meaning)]
        return AmbiguousError(
            f"`{meaning.ask.ref}` has {len(choices)} to choose from. Name one of them, or say `--yes` to take the "
            "recommended one.",
            choices=choices,
        )

    def _free(self) -> int | None:
        folder = self.resolver.library.layout.hub
        for place in (folder, *folder.parents):
            with suppress(OSError):
                return shutil.disk_usage(place).free
        return None


def ask_of(asked: ResolveRequest) -> Ask:
    return Ask(asked.ref, asked.quant, asked.revision, asked.source)


def hit_row(hit: Hit) -> HubHit:
    return HubHit(
        repo=hit.repo,
        downloads=hit.downloads,
        likes=hit.likes,
        gated=hit.gated,
        license=hit.license,
        updated=hit.updated,
        parameters=hit.parameters,
        tags=hit.tags,
        quants=hit.quants,
        neighbours=hit.neighbours,
    )


def choice_ref(meaning: Meaning, candidate: Candidate, alike: int) -> str:
    """What to type to get this one and no other. `alike`: how many have its quantisation."""
    repo = meaning.repo.repo if meaning.repo else meaning.ask.ref
    at = f"@{meaning.version}" if meaning.ask.revision or "@" in meaning.ask.ref else ""
    if candidate.name == "_":
        return f"{repo}{at}"
    if alike == 1 and candidate.quant != "unknown":
        return f"{repo}{at}:{candidate.quant}"
    return f"{repo}/{candidate.files[0].path}"
