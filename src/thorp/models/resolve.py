"""What a ref means: something in the library, one artifact of a repository, or several to choose from. Blocks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from thorp.base.errors import NetworkError, NotAllowedError, NotFoundError, ThorpError, TryAgainError
from thorp.machine.fit import Fit, fit
from thorp.machine.snapshot import MachineSnapshot
from thorp.models.ids import ModelId
from thorp.models.library import Kept, Library, ambiguous, of_quant, same_quant
from thorp.models.plan import BRANCH, PullPlan, plan_of
from thorp.models.ports import Hub
from thorp.models.refs import BadRefError, IdRef, Query, RepoRef, parse_ref
from thorp.models.selection import Several, candidates, choose, recommended, wanted_candidate
from thorp.models.stores import StoreAwayError, Stores
from thorp.models.types import Candidate, Hit, RemoteRepo, SourceKind

log = logging.getLogger(__name__)
MOST_HITS: Final = 20
MOST_ASKED: Final = 12  # repositories that are listed to find an id


class NothingFoundError(NotFoundError):
    """The hub has nothing of this name."""

    code = "models.nothing_found"


class NoSuchSourceError(NotFoundError):
    """A source that this node does not have."""

    code = "models.no_such_source"


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants."""

    ref: str
    quant: str | None = None
    revision: str | None = None
    source: str | None = None

    @property
    def by_name(self) -> bool:
        """Whether what is here already may be the answer: nobody asked for another place or another moment."""
        return self.revision is None and self.source is None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a ref means. Repositories, or artifacts of one; exactly one artifact is an answer."""

    ask: Ask
    hits: tuple[Hit, ...] = ()
    repo: RemoteRepo | None = None
    choices: tuple[Candidate, ...] = ()
    version: str = BRANCH
    kept: Kept | None = None  # it is in the library

    @property
    def chosen(self) -> Candidate | None:
        return self.choices[0] if len(self.choices) == 1 else None

    def plan(self) -> PullPlan | None:
        """What to bring, when that is clear."""
        chosen = self.chosen
        return plan_of(self.ask.ref, self.repo, chosen, self.version) if self.repo and chosen else None


@dataclass(frozen=True, slots=True)
class Resolver:
    library: Library
    stores: Stores
    hub: Hub
    machine: Callable[[], MachineSnapshot]

    def meaning(self, ask: Ask) -> Meaning:
        """What a ref means, asking the library first and the hub when that does not know."""
        if ask.source not in (None, SourceKind.HUB):
            raise NoSuchSourceError(
                f"This node has no source `{ask.source}` yet; leave `--from` out, or use `--from hub`.",
                source=ask.source,
            )
        if (kept := self.in_library(ask)) is not None:
            return Meaning(ask, kept=kept)
        try:
            return self._asked(ask)
        except (NetworkError, TryAgainError) as error:
            return self._without_hub(ask, error)

    def in_library(self, ask: Ask) -> Kept | None:
        """The model of the library that is meant, if exactly one is, and nobody asked for anything newer."""
        if not ask.by_name:
            return None
        ref = parse_ref(ask.ref)
        kept = [self.library.state(one) for one in self.library.called(ref, ask.quant)]
        complete = [one for one in kept if one.complete]
        if len(complete) == 1:
            return complete[0]
        self._refuse_while_away(ask, kept)
        if complete and not isinstance(ref, RepoRef):
            raise ambiguous(ask.ref, [one.receipt for one in complete])
        return None

    def _refuse_while_away(self, ask: Ask, kept: list[Kept]) -> None:
        """What lies on a disk that is not mounted is never fetched again."""
        why = self.stores.away(self.library.layout.hub)
        if why and kept:
            raise StoreAwayError(
                f"`{ask.ref}` is in the library, but {why} Nothing was fetched.", ref=ask.ref, folder=why
            )

    def _asked(self, ask: Ask) -> Meaning:
        ref = parse_ref(ask.ref)
        match ref:
            case Query():
                hits = self.hub.search(ref.text, MOST_HITS)
                if not hits:
                    raise NothingFoundError(f"{self.hub.where} has no GGUF model called `{ref.text}`.", query=ref.text)
                return Meaning(ask, hits=hits)
            case IdRef():
                return self._by_id(ask, ref.model_id)
            case RepoRef():
                return self._in_repo(ask, ref)

    def _in_repo(self, ask: Ask, ref: RepoRef) -> Meaning:
        if ask.quant and ref.quant and not same_quant(ask.quant, ref.quant):
            raise BadRefError(f"`{ask.ref}` names one quantisation and `--quant {ask.quant}` another. Leave one out.")
        revision = ask.revision or ref.revision
        repo = self.hub.repo(ref.repo, revision)
        found = choose(candidates(repo, file_type=repo.file_type), quant=ask.quant or ref.quant, path=ref.path)
        chosen = found.candidates if isinstance(found, Several) else (found,)
        return Meaning(ask, repo=repo, choices=tuple(chosen), version=revision or BRANCH)

    def _by_id(self, ask: Ask, model_id: ModelId) -> Meaning:
        """The most downloaded repository that has an artifact of this very id."""
        failure: NetworkError | None = None
        words = " ".join(part for part in (model_id.base, model_id.size, model_id.variant) if _says_something(part))
        for hit in self.hub.search(words, MOST_ASKED) or self.hub.search(model_id.base, MOST_ASKED):
            try:
                repo = self.hub.repo(hit.repo, ask.revision)
            except (NotFoundError, NotAllowedError, NetworkError) as error:
                log.info("%s is passed over: %s", hit.repo, error.message)
                failure = error if isinstance(error, NetworkError) else failure
                continue
            if (found := wanted_candidate(repo, str(model_id), file_type=repo.file_type)) is not None:
                return Meaning(ask, repo=repo, choices=(found,), version=ask.revision or BRANCH)
        if failure is not None:  # what could not be looked at may have it
            raise failure
        raise NothingFoundError(
            f"No repository on {self.hub.where} has `{model_id}`. Look with `thorp search {model_id.base}`, "
            "and pull it by its repository.",
            model_id=str(model_id),
        )

    def _without_hub(self, ask: Ask, error: ThorpError) -> Meaning:
        """Without the hub the library is all there is."""
        matching = of_quant(self.library.matching(parse_ref(ask.ref)), ask.quant)
        found = [one for one in map(self.library.state, matching) if one.complete]
        if ask.revision is not None:
            found = [one for one in found if ask.revision in (one.receipt.revision, one.receipt.version)]
        if len(found) == 1:
            return Meaning(ask, kept=found[0])
        if found:
            raise ambiguous(ask.ref, [one.receipt for one in found]) from error
        raise error

    def fit(self, size: int) -> Fit | None:
        return fit(size, self.machine())

    def fits(self, candidate: Candidate) -> bool | None:
        found = self.fit(candidate.size)
        return None if found is None else found is Fit.FITS

    def recommended(self, choices: tuple[Candidate, ...]) -> Candidate:
        return recommended(choices, self.fits)

    def first_choice(self, meaning: Meaning) -> Meaning:
        """What to take when nobody wants to be asked: the most downloaded repository, and what fits best of it."""
        if meaning.hits:
            meaning = self._in_repo(meaning.ask, RepoRef(meaning.hits[0].repo, None, None, None))
        if len(meaning.choices) > 1:
            return Meaning(
                meaning.ask,
                repo=meaning.repo,
                choices=(self.recommended(meaning.choices),),
                version=meaning.version,
            )
        return meaning


def _says_something(part: str) -> bool:
    return part not in ("unknown", "base")
