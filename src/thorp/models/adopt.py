"""Takes models that are on this machine already into the library, without copying where the disk allows that.

All or nothing for each model: its headers are read, every byte is hashed, and only then does it get its names.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NotRequired, TypedDict, Unpack

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import IntegrityError, NotAllowedError, NotFoundError, UsageError
from thorp.base.moments import rfc3339
from thorp.formats.errors import shown
from thorp.formats.facts import ModelFacts
from thorp.models.adopt_files import (
    ChangedWhileReadError,
    Known,
    Mark,
    Progress,
    Proven,
    Work,
    WrongNameError,
    known_inodes,
    mark_at,
    prove,
    take,
    undo,
)
from thorp.models.adopt_filing import file_away, is_present, known_receipt, read_headers
from thorp.models.adopt_ollama import is_ollama, of_ollama
from thorp.models.adopt_sources import (
    FOUND_IN_CACHE,
    NothingToImportError,
    is_cache,
    is_cached_repo,
    of_cache,
    of_cached_repo,
    of_file,
    of_folder,
    of_snapshot_entry,
)
from thorp.models.adopt_types import Adopted, Arrival, Artifact, Found, ImportedModel, Skipped, Taken
from thorp.models.bundle_in import import_bundle, is_bundle
from thorp.models.hashing import HashingEndedError
from thorp.models.ids import FOLDER, derive_model_id
from thorp.models.library import Library
from thorp.models.links import How
from thorp.models.ports import Stop
from thorp.models.receipts import REVISION, Receipt, ReceiptFile
from thorp.models.stores import Stores
from thorp.models.types import Format

# What keeps one model of many out and lets the others in.
OF_ONE: Final = (IntegrityError, NotFoundError, NotAllowedError, ChangedWhileReadError)


class NameNotWantedError(UsageError):
    """Models that have names of their own were given another one."""

    code = "models.name_not_wanted"


class Wishes(TypedDict):
    """How models are taken."""

    name: str | None  # `owner/name` to file them under
    license: str | None
    copies: bool  # copy what can be neither cloned nor linked
    progress: Progress
    stop: Stop
    screen: NotRequired[Callable[[Found], Found]]  # leaves out what is not to be taken


def adopt(
    library: Library, stores: Stores, clock: Clock, randomness: Randomness, source: Path, **wishes: Unpack[Wishes]
) -> Adopted:
    """Take whatever models are found at `source`: a file, a folder, a cache, an Ollama store, or a bundle."""
    stores.open(library.layout.hub, randomness)
    source, name = source.absolute(), wishes["name"]
    progress, stop = wishes["progress"], wishes["stop"]
    if is_bundle(source):
        _refuse_name(source, name)
        return import_bundle(library, stores, clock, randomness, source, progress=progress, stop=stop)
    work = Work(library, wishes["copies"], progress, stop)
    found = _look(source, name, library)
    screened = wishes["screen"](found) if "screen" in wishes else found
    return _Taker(work, clock, wishes["license"], known_inodes(library)).take_all(source, screened)


def revision_of(files: Sequence[tuple[str, int, str]]) -> str:
    """What stands for a commit where there is none: the hash of path, size and SHA-256 of every file."""
    lines = sorted(f"{path}\0{size}\0{sha256}\n".encode() for path, size, sha256 in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()[:REVISION]


def _look(source: Path, name: str | None, library: Library) -> Found:
    """What is there. A place with names of its own takes no other."""
    named = of_snapshot_entry(source, library.layout) or _with_names(source, library)
    if named is not None:
        _refuse_name(source, name)
        return named
    source = source.resolve()
    if source.is_dir():
        return of_folder(source, name)
    if not source.exists():
        raise NothingToImportError(f"There is nothing at `{source}`. Check the path.", path=str(source))
    return of_file(source, name)


def _with_names(source: Path, library: Library) -> Found | None:
    if is_cached_repo(source):
        return of_cached_repo(source, library.layout)
    for place in (source, source / "hub"):
        if is_cache(place):
            return of_cache(place, library.layout)
    store = next((one for one in (source, source / "models") if is_ollama(one)), None)
    return of_ollama(store) if store else None


def _refuse_name(source: Path, name: str | None) -> None:
    if name is not None:
        raise NameNotWantedError(f"What lies at `{source}` has names of its own. Import it without `--name`.")


@dataclass(frozen=True, slots=True)
class _Taker:
    work: Work
    clock: Clock
    license: str | None
    known: dict[tuple[int, int], Known]

    def take_all(self, source: Path, found: Found) -> Adopted:
        if not found.artifacts and not found.skipped:
            raise NothingToImportError(
                f"There is no model at `{source}`. Thorp takes GGUF and safetensors, a Hugging Face cache, an Ollama "
                "store, or a bundle that it exported.",
                path=str(source),
            )
        imported: list[ImportedModel] = []
        skipped = list(found.skipped)
        for artifact in found.artifacts:
            if self.work.stop.is_set():
                raise HashingEndedError(
                    f"Importing was ended after {len(imported)} of {len(found.artifacts)} models; those stay."
                )
            try:
                imported.append(self.take_one(artifact))
            except OF_ONE as error:
                if len(found.artifacts) == 1 and not isinstance(error, WrongNameError):
                    raise
                skipped.append(Skipped(f"{artifact.repo}/{artifact.files[0].path}", error.message))
        return Adopted(tuple(imported), tuple(skipped))

    def take_one(self, artifact: Artifact) -> ImportedModel:
        library = self.work.library
        marks = {one.path: mark_at(one) for one in artifact.files}
        eyes = next((one.seen for one in artifact.files if one.path == artifact.projector), None)
        facts = read_headers([one.seen for one in artifact.files], eyes)
        proven = tuple(self._prove(artifact, marks, number) for number in range(len(artifact.files)))
        receipt = self._receipt(artifact, facts, proven)
        known = known_receipt(library, receipt)
        if known is not None and is_present(library, known, receipt):
            return ImportedModel(known, "present")
        if known is not None:
            receipt = receipt.with_aliases(known.aliases)
        found = self._enter(artifact, receipt, facts, proven)
        return replace(found, kept=known is None and _says_no_terms(artifact))

    def _prove(self, artifact: Artifact, marks: dict[str, Mark], number: int) -> Proven:
        one = artifact.files[number]
        device, inode, *_ = mark = marks[one.path]
        return prove(self.work, one, mark, self.known.get((device, inode)))

    def _enter(
        self, artifact: Artifact, receipt: Receipt, facts: ModelFacts, proven: tuple[Proven, ...]
    ) -> ImportedModel:
        made: list[bytes] = []
        entries: list[Path] = []
        ways: set[How] = set()
        try:
            for one in sorted(() if artifact.own else proven, key=lambda one: -one.lying.size):
                if (how := take(self.work, artifact, one)) is not None:
                    made.append(one.digest)
                    ways.add(how)
            arrival = Arrival(tuple(one.arrived for one in proven), facts, artifact.own, _says_no_terms(artifact))
            receipt = file_away(self.work.library, receipt, arrival, entries)
        except BaseException:
            undo(self.work, artifact.repo, receipt.revision, made, entries)
            raise
        return ImportedModel(receipt, _costliest(ways))

    def _receipt(self, artifact: Artifact, facts: ModelFacts, proven: tuple[Proven, ...]) -> Receipt:
        now = rfc3339(self.clock.wall())
        files = tuple(ReceiptFile(one.lying.path, one.lying.size, one.sha256) for one in proven)
        named = FOLDER if artifact.format is Format.SAFETENSORS else artifact.named or files[0].path
        model_id = derive_model_id(artifact.repo, named, parameters=facts.parameters, file_type=facts.quant)
        return Receipt(
            model_id=str(model_id),
            repo=artifact.repo,
            revision=artifact.revision or revision_of([(one.path, one.size, one.sha256) for one in files]),
            version=artifact.version,
            artifact=artifact.name,
            format=Format(facts.format),
            files=files,
            source=replace(artifact.origin, detail=shown(artifact.origin.detail)),
            downloaded_at=now,
            verified_at=now,
            license=self.license or artifact.license or facts.license,
            gated=artifact.gated,
            architecture=facts.architecture,
            parameters=facts.parameters,
            context_length=facts.context_length,
            quant=model_id.quant,
            modalities=facts.modalities,
            projector=artifact.projector,
        )


def _says_no_terms(artifact: Artifact) -> bool:
    """A cache may hold what a token opened, and does not tell."""
    return artifact.origin == FOUND_IN_CACHE


def _costliest(ways: set[How]) -> Taken:
    """What a person has to know about: a copy takes room, a link shares its bytes."""
    if How.COPIED in ways:
        return "copied"
    if How.LINKED in ways:
        return "linked"
    return "cloned" if ways else "present"
