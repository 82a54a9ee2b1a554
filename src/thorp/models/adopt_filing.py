"""Enters a model whose files stand proven in the models folder: its names, its torrents, then its receipt."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, TryAgainError
from thorp.base.files import FileFaultError, FileMissingError, explaining
from thorp.formats.errors import BadShardsError
from thorp.formats.facts import ModelFacts, read_facts
from thorp.models.adopt_types import Arrival, Arrived
from thorp.models.cache import whole
from thorp.models.layout import PUBLICATION, BadDigestError, digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.sealed import Bytes, card_of, sealed
from thorp.models.shared import keep_back
from thorp.models.uses import filing

LOCAL: Final = "local"  # the version of what was made of its content
MAIN: Final = "main"


class ContradictionError(ConflictError):
    """Other bytes for what is here already, proven and whole."""

    code = "models.contradiction"


class TakenAwayError(TryAgainError):
    """A file that was here a moment ago is gone, or is another one."""

    code = "models.taken_away"


def read_headers(places: Sequence[Path], projector: Path | None) -> ModelFacts:
    """What a model says of itself. Fails with a FormatError when any of its files is none."""
    facts = read_facts([one for one in places if one != projector])
    if projector is not None and not read_facts([projector]).is_projector:
        raise BadShardsError(projector.name, "lies beside a model as its projector and is none")
    return facts


def known_receipt(library: Library, receipt: Receipt) -> Receipt | None:
    """What the library says about this very artifact."""
    path = library.path(receipt)
    return read_receipt(path) if path.exists() else None


def is_present(library: Library, known: Receipt | None, wanted: Receipt) -> bool:
    """Whether the library has these very files, whole."""
    return known is not None and same_files(known, wanted) and not whole(library.cache, known)


def same_files(one: Receipt, other: Receipt) -> bool:
    return {(file.path, file.sha256) for file in one.files} == {(file.path, file.sha256) for file in other.files}


def refuse_contradiction(library: Library, wanted: Receipt) -> None:
    """What is proven and whole is not exchanged for other bytes under the same revision, whoever brings them."""
    known = known_receipt(library, wanted)
    if known is not None and not same_files(known, wanted) and not whole(library.cache, known):
        raise ContradictionError(
            f"{wanted.repo} at {wanted.revision[:12]} is here with other bytes than those that are to be imported. "
            "One of them is not what it says. `thorp models rm` first, if you trust the new ones.",
            repo=wanted.repo,
        )


def file_away(library: Library, receipt: Receipt, arrival: Arrival, entries: list[Path]) -> Receipt:
    """Enter a model. `entries` gets the names that were made, for whoever has to take them back."""
    layout, cache = library.layout, library.cache
    with filing(layout.repo(receipt.repo)):
        refuse_contradiction(library, receipt)
        for one in arrival.files:
            entry = layout.file(receipt.repo, receipt.revision, one.path)
            if arrival.own or cache.has_blob(receipt.repo, one.digest, one.size):
                if not os.path.lexists(entry):
                    entries.append(entry)
                cache.enter(receipt.repo, receipt.revision, one.path, one.digest)
            elif cache.target(receipt.repo, entry) != entry or entry.lstat().st_size != one.size:
                raise _taken_away(receipt, one.path)
        _check_headers(library, receipt, arrival.facts)
        if not arrival.own:
            _point(library, receipt)
        made = _sealed(library, receipt, arrival.files)
        with _kept_back(library, made, kept=arrival.kept):
            library.put(made, {one.sha256: one.pieces for one in arrival.files})
    return made


@contextmanager
def _kept_back(library: Library, receipt: Receipt, *, kept: bool) -> Generator[None]:
    """No member sees it for a moment, and what was here before stays as its owner wanted it."""
    path = library.path(receipt)
    if not kept or path.exists():
        yield
        return
    with explaining("write", path):
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    keep_back(library, receipt, kept=True)
    try:
        yield
    except BaseException:
        if not path.exists():
            keep_back(library, receipt, kept=False)
        raise


def _check_headers(library: Library, receipt: Receipt, facts: ModelFacts) -> None:
    """What is named now says the same as what was looked at before."""
    places = {one.path: library.layout.file(receipt.repo, receipt.revision, one.path) for one in receipt.files}
    projector = places[receipt.projector] if receipt.projector else None
    try:
        if read_headers(tuple(places.values()), projector) == facts:
            return
    except (FileMissingError, FileFaultError) as error:
        raise _taken_away(receipt, receipt.files[0].path) from error
    raise _taken_away(receipt, receipt.files[0].path)


def _sealed(library: Library, receipt: Receipt, arrived: Sequence[Arrived]) -> Receipt:
    """No torrent: nobody knows whether everybody may have what was imported, until its owner publishes it."""
    proven = (Bytes(one.path, one.size, one.sha256, one.pieces) for one in arrived)
    rides = library.path(receipt).with_name(PUBLICATION).exists()
    files = tuple(sealed(library.layout, one, card_of(receipt), gated=receipt.gated, rides=rides) for one in proven)
    return replace(receipt, files=files)


def _point(library: Library, receipt: Receipt) -> None:
    """Let programs find it by a branch, without taking a branch from what a hub said it stands for."""
    before = {branch: _branch(library, receipt.repo, branch) for branch in (MAIN, receipt.version)}
    if receipt.version == LOCAL:
        library.cache.point(receipt.repo, LOCAL, receipt.revision)
        if before[MAIN] in (None, before[LOCAL]):
            library.cache.point(receipt.repo, MAIN, receipt.revision)
    elif receipt.version != receipt.revision and before[receipt.version] is None:
        library.cache.point(receipt.repo, receipt.version, receipt.revision)


def _branch(library: Library, repo: str, branch: str) -> str | None:
    try:
        return digest_of(library.layout.ref(repo, branch).read_text("ascii").strip()).hex()
    except (OSError, ValueError, BadDigestError):
        return None


def _taken_away(receipt: Receipt, path: str) -> TakenAwayError:
    return TakenAwayError(
        f"`{path}` of {receipt.repo} was removed or exchanged while the model was entered. Nothing was kept; try again."
    )
