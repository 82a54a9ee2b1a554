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
from thorp.models.neighbours import vouched
from thorp.models.offered import (
    NO_NEIGHBOURS,
    NobodyHasItError,
    choices_of,
    found,
    of_id,
    of_repo,
    one_revision,
    refuse_contradictions,
    repo_of,
    version_of,
)
from thorp.models.plan import BRANCH, PullPlan, plan_of
from thorp.models.ports import Hub, Neighbours
from thorp.models.refs import BadRefError, IdRef, Query, RepoRef, parse_ref
from thorp.models.selection import Several, candidates, choose, recommended, wanted_candidate
from thorp.models.sources.hub_errors import NoSuchRepoError, NoSuchRevisionError
from thorp.models.stores import StoreAwayError, Stores
from thorp.models.types import Candidate, Hit, Offered, RemoteRepo, SourceKind

log = logging.getLogger(__name__)
MOST_HITS: Final = 20
MOST_ASKED: Final = 12  # repositories that are listed to find an id
KNOWN_SOURCES: Final = (None, SourceKind.HUB, SourceKind.LAN)


class NothingFoundError(NotFoundError):
    """The hub has nothing of this name."""

    code = "models.nothing_found"


class NoNeighboursError(NotFoundError):
    """A question about neighbours to a process that knows none."""

    code = "models.no_neighbours"


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
    near: bool = False  # neighbours said so, no hub was asked

    @property
    def chosen(self) -> Candidate | None:
        return self.choices[0] if len(self.choices) == 1 else None

    def plan(self) -> PullPlan | None:
        """What to bring, when that is clear."""
        chosen = self.chosen
        return plan_of(self.ask.ref, self.repo, chosen, self.version, self.ask.source) if self.repo and chosen else None


@dataclass(frozen=True, slots=True)
class Resolver:
    library: Library
    stores: Stores
    hub: Hub
    machine: Callable[[], MachineSnapshot]
    neighbours: Neighbours = NO_NEIGHBOURS

    def meaning(self, ask: Ask) -> Meaning:
        """What a ref means, asking the library first, then the hub, and the neighbours when that does not know."""
        if ask.source not in KNOWN_SOURCES:
            raise NoSuchSourceError(
                f"This node has no source `{ask.source}` yet; leave `--from` out, or use `--from hub` or `--from lan`.",
                source=ask.source,
            )
        if (kept := self.in_library(ask)) is not None:
            return Meaning(ask, kept=kept)
        if ask.source == SourceKind.LAN:
            return self._near(ask)
        try:
            return self._asked(ask)
        except (NetworkError, TryAgainError) as error:
            return self._without_hub(ask, error)
        except (NothingFoundError, NoSuchRepoError, NoSuchRevisionError) as error:
            return self._near_or(ask, error)

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
        quant = _one_quant(ask, ref)
        revision = ask.revision or ref.revision
        repo = self.hub.repo(ref.repo, revision)
        chosen = _chosen(choose(candidates(repo, file_type=repo.file_type), quant=quant, path=ref.path))
        return Meaning(ask, repo=repo, choices=chosen, version=revision or BRANCH)

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
            if (meant := wanted_candidate(repo, str(model_id), file_type=repo.file_type)) is not None:
                return Meaning(ask, repo=repo, choices=(meant,), version=ask.revision or BRANCH)
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
        here = [one for one in map(self.library.state, matching) if one.complete]
        if ask.revision is not None:
            here = [one for one in here if ask.revision in (one.receipt.revision, one.receipt.version)]
        if len(here) == 1:
            return Meaning(ask, kept=here[0])
        if here:
            raise ambiguous(ask.ref, [one.receipt for one in here]) from error
        return self._near_or(ask, error)

    def near(self, words: str, limit: int) -> tuple[Hit, ...]:
        """Repositories of which neighbours have something."""
        return found(self._offers(), words, limit)

    def _near_or(self, ask: Ask, error: ThorpError) -> Meaning:
        """What the neighbours have of it, or why the hub says nothing."""
        if ask.source is None and self.neighbours.known:
            try:
                return self._near(ask)
            except (NobodyHasItError, NetworkError, TryAgainError) as failure:
                log.info("the neighbours do not help: %s", failure.message)
        raise error

    def _near(self, ask: Ask) -> Meaning:
        """What a ref means by what the neighbours list, without a hub."""
        offers, ref = self._offers(), parse_ref(ask.ref)
        match ref:
            case Query():
                hits = found(offers, ref.text, MOST_HITS)
            case IdRef():
                named = of_repo(of_id(offers, ref.model_id), None, ask.revision)
                if len({one.repo for one in named}) == 1:
                    return self._near_repo(ask, RepoRef(named[0].repo), offers, ref.model_id)
                hits = found(named, "", MOST_HITS)
            case RepoRef():
                return self._near_repo(ask, ref, offers)
        if not hits:
            raise self._nobody(ask)
        return Meaning(ask, hits=hits, near=True)

    def _near_repo(
        self, ask: Ask, ref: RepoRef, offers: tuple[Offered, ...], model_id: ModelId | None = None
    ) -> Meaning:
        revision = ask.revision or ref.revision
        offers = of_repo(offers, ref.repo, revision)
        named = of_id(offers, model_id) if model_id else offers
        if not named:
            raise self._nobody(ask)
        quant = _one_quant(ask, ref)
        names = {one.name for one in _chosen(choose(choices_of(named), quant=quant, path=ref.path))}
        meant = vouched(tuple(one for one in named if one.artifact in names))
        one_revision(ask.ref, meant)
        choices = choices_of(meant)
        refuse_contradictions(choices, tuple(one for one in offers if one.revision == meant[0].revision))
        return Meaning(ask, repo=repo_of(meant), choices=choices, version=version_of(meant, revision), near=True)

    def _offers(self) -> tuple[Offered, ...]:
        if not self.neighbours.known:
            raise NoNeighboursError("Only a running node knows its neighbours. Start it with `thorp up`.")
        return self.neighbours.models()

    def _nobody(self, ask: Ask) -> NobodyHasItError:
        return NobodyHasItError(
            f"No neighbour that is here now has `{ask.ref}`. `thorp lan peers` lists who is here.", ref=ask.ref
        )

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
            meaning = self._in_hit(meaning, RepoRef(meaning.hits[0].repo))
        if len(meaning.choices) > 1:
            return Meaning(
                meaning.ask,
                repo=meaning.repo,
                choices=(self.recommended(meaning.choices),),
                version=meaning.version,
                near=meaning.near,
            )
        return meaning

    def _in_hit(self, meaning: Meaning, ref: RepoRef) -> Meaning:
        if not meaning.near:
            return self._in_repo(meaning.ask, ref)
        asked = parse_ref(meaning.ask.ref)
        return self._near_repo(meaning.ask, ref, self._offers(), asked.model_id if isinstance(asked, IdRef) else None)


def _one_quant(ask: Ask, ref: RepoRef) -> str | None:
    if ask.quant and ref.quant and not same_quant(ask.quant, ref.quant):
        raise BadRefError(f"`{ask.ref}` names one quantisation and `--quant {ask.quant}` another. Leave one out.")
    return ask.quant or ref.quant


def _chosen(meant: Candidate | Several) -> tuple[Candidate, ...]:
    return tuple(meant.candidates) if isinstance(meant, Several) else (meant,)


def _says_something(part: str) -> bool:
    return part not in ("unknown", "base")
