"""What the lists of neighbours come to: repositories, choices and holders. Pure.

A neighbour's word is a claim. Many equal claims weigh no more than one, and two that contradict each other are shown to
the person, never counted out.
"""

import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from thorp.base.errors import ConflictError, NetworkError, NotFoundError
from thorp.models.ids import ModelId
from thorp.models.ports import Incoming, Stop
from thorp.models.types import Candidate, Hit, Offered, OfferedFile, RemoteFile, RemoteRepo, Wanted

MAIN: Final = "main"
MOST_OF_ONE: Final = 2  # torrents of one file that a neighbour counts for; it may have it under two names


class ContradictingNeighboursError(ConflictError):
    """Two neighbours say different things about the same file of the same revision."""

    code = "models.contradicting_neighbours"


class SeveralRevisionsError(ConflictError):
    """Neighbours have several revisions of what is meant."""

    code = "models.several_revisions"


class NotAroundError(NetworkError):
    """A neighbour that is not to be reached."""

    code = "models.neighbour_not_around"


class NobodyHasItError(NotFoundError):
    """No neighbour that is here now has what is meant."""

    code = "models.nobody_has_it"


class NoNeighbours:
    """Satisfies `Neighbours` where there are none to know: on a command line without a node."""

    known = False

    def models(self) -> tuple[Offered, ...]:
        return ()

    def torrent(self, infohash: str) -> bytes | None:
        del infohash

    def read(self, node: str, sha256: str, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        del node, sha256, first, end, stop
        raise NotAroundError("This process knows no neighbours; a node does. `thorp up` starts it.")


NO_NEIGHBOURS: Final = NoNeighbours()


def found(offers: Sequence[Offered], words: str, limit: int) -> tuple[Hit, ...]:
    """Repositories in which all words occur, by name. How many neighbours have one does not matter."""
    wanted = words.casefold().split()
    repos: dict[str, list[Offered]] = defaultdict(list)
    for one in offers:
        text = f"{one.repo} {one.model_id} {one.artifact}".casefold()
        if all(word in text for word in wanted):
            repos[one.repo].append(one)
    return tuple(_hit(repos[name]) for name in sorted(repos, key=str.casefold)[:limit])


def of_id(offers: Sequence[Offered], model_id: ModelId) -> tuple[Offered, ...]:
    return tuple(one for one in offers if one.model_id == str(model_id))


def of_repo(offers: Sequence[Offered], repo: str | None, revision: str | None) -> tuple[Offered, ...]:
    """What neighbours have of a repository, at a revision if one was named."""
    return tuple(
        one
        for one in offers
        if (repo is None or one.repo.casefold() == repo.casefold()) and revision in (None, one.revision, one.version)
    )


def one_revision(ref: str, offers: Sequence[Offered]) -> None:
    """Fail when it is not clear which revision is meant. No clock and no count decides."""
    revisions = sorted({one.revision for one in offers})
    if len(revisions) > 1:
        choices = [
            {"ref": f"{offers[0].repo}@{revision}", "neighbours": _who(offers, revision)} for revision in revisions
        ]
        listed = "; ".join(f"`{one['ref']}` ({', '.join(one['neighbours'])})" for one in choices)
        raise SeveralRevisionsError(
            f"Your neighbours have `{ref}` in {len(revisions)} revisions, and no hub says which is the newest. "
            f"Name one of them: {listed}.",
            choices=choices,
        )


def repo_of(offers: Sequence[Offered]) -> RemoteRepo:
    """One revision of a repository, as far as neighbours have it."""
    first = offers[0]
    files = {file.path: remote(file) for one in reversed(offers) for file in one.files}
    return RemoteRepo(
        repo=first.repo,
        revision=first.revision,
        files=tuple(files[path] for path in sorted(files)),
        license=next((one.license for one in offers if one.license), None),
        parameters=next((one.parameters for one in offers if one.parameters), None),
    )


def version_of(offers: Sequence[Offered], asked: str | None) -> str:
    """By which branch or tag they are known."""
    versions = {one.version for one in offers}
    return asked or (MAIN if MAIN in versions else offers[0].version)


def choices_of(offers: Sequence[Offered]) -> tuple[Candidate, ...]:
    """The artifacts of one revision, smallest first; of several equal claims the first is the one that is named."""
    firsts: dict[str, Offered] = {}
    for one in offers:
        firsts.setdefault(one.artifact, one)
    return tuple(sorted(map(_candidate, firsts.values()), key=lambda one: (one.size, one.name)))


def refuse_contradictions(choices: Iterable[Candidate], offers: Sequence[Offered]) -> None:
    """Fail when neighbours do not say the same of a file that is to be had on their word alone."""
    said: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in offers:
        for file in one.files:
            said[file.path][file.sha256].append(one.name)
    for path in {file.path for one in choices for file in one.every_file}:
        if len(said[path]) > 1:
            claims = [{"sha256": digest, "neighbours": who} for digest, who in said[path].items()]
            listed = "; ".join(f"{one['sha256']} ({', '.join(one['neighbours'])})" for one in claims)
            raise ContradictingNeighboursError(
                f"Your neighbours do not agree on `{path}` of {offers[0].repo} at {offers[0].revision[:12]}: {listed}. "
                "One of them is wrong, and no hub can be asked which. Nothing was fetched.",
                repo=offers[0].repo,
                path=path,
                claims=claims,
            )


def holders(offers: Sequence[Offered], wanted: Wanted) -> tuple[tuple[Offered, OfferedFile], ...]:
    """Who has the bytes of a file, one entry for each neighbour."""
    by_node: dict[str, tuple[Offered, OfferedFile]] = {}
    for one in offers:
        for file in one.files:
            if one.node not in by_node and _same(one, file, wanted):
                by_node[one.node] = (one, file)
    return tuple(by_node.values())


def infohashes(offers: Sequence[Offered], wanted: Wanted) -> tuple[str, ...]:
    """Torrents by which neighbours give a file away; the one that most of them have is first.

    Each neighbour counts for a few, so that none of them crowds out what the others have.
    """
    nodes: dict[str, set[str]] = defaultdict(set)
    named: dict[str, set[str]] = defaultdict(set)
    for one in offers:
        for file in one.files:
            if file.infohash and _same(one, file, wanted) and len(named[one.node] - {file.infohash}) < MOST_OF_ONE:
                nodes[file.infohash].add(one.node)
                named[one.node].add(file.infohash)
    return tuple(sorted(nodes, key=lambda infohash: (-len(nodes[infohash]), infohash)))


def remote(file: OfferedFile) -> RemoteFile:
    return RemoteFile(file.path, file.size, file.blob, file.sha256)


def names_collide(paths: Iterable[str]) -> bool:
    """Whether some file system would take two of these for one, or a file for a folder."""
    keys = [unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold()) for path in paths]
    every = sorted(set(keys))
    return len(every) < len(keys) or any(_is_folder(key, every) for key in every)


def _is_folder(path: str, every: Sequence[str]) -> bool:
    """Whether one of these, which are sorted, lies below it."""
    at = bisect_left(every, f"{path}/")
    return at < len(every) and every[at].startswith(f"{path}/")


def _same(one: Offered, file: OfferedFile, wanted: Wanted) -> bool:
    """By the SHA-256 wherever it lies; a file that only git's hash names by its place, too."""
    if file.size != wanted.file.size:
        return False
    if wanted.file.sha256 is not None:
        return file.sha256 == wanted.file.sha256
    here = (one.repo, one.revision, file.path, file.blob)
    return here == (wanted.repo, wanted.revision, wanted.file.path, wanted.file.blob)


def _candidate(one: Offered) -> Candidate:
    files = tuple(remote(file) for file in one.files if file.path != one.projector)
    eyes = next((remote(file) for file in one.files if file.path == one.projector), None)
    return Candidate(one.model_id, one.quant, one.artifact, one.format, files, eyes, one.node, one.rides)


def _hit(offers: Sequence[Offered]) -> Hit:
    return Hit(
        repo=offers[0].repo,
        downloads=0,
        likes=0,
        gated=False,
        license=next((one.license for one in offers if one.license), None),
        updated=max(one.added for one in offers) or None,
        parameters=next((one.parameters for one in offers if one.parameters), None),
        quants=tuple(sorted({one.quant for one in offers})),
        neighbours=_who(offers),
    )


def _who(offers: Iterable[Offered], revision: str | None = None) -> tuple[str, ...]:
    return tuple(sorted({one.name for one in offers if revision in (None, one.revision)}))
