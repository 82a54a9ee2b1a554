"""What taking models from this machine is about: files where they lie, what they make, what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from thorp.formats.facts import ModelFacts
from thorp.models.receipts import Origin, Receipt
from thorp.models.types import Format

Taken: TypeAlias = Literal["cloned", "linked", "copied", "present"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not taken."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lying:
    """A file where it lies."""

    path: str  # inside its repository
    at: Path  # the file itself, never a link
    seen: Path  # the name it was found under, with an ending that says what it is
    size: int
    digest: str = ""  # what its name promises: SHA-256, or git's SHA-1; empty where it promises nothing


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model that could be taken."""

    repo: str
    revision: str | None  # None: made of its content
    version: str
    name: str
    format: Format
    files: tuple[Lying, ...]
    projector: str | None
    origin: Origin
    license: str | None = None
    gated: bool = False
    named: str = ""  # what its id is read off, where that is not its first file
    own: bool = False  # it lies in our own models folder


@dataclass(frozen=True, slots=True)
class Found:
    artifacts: tuple[Artifact, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file whose bytes are proven and stand under `digest`."""

    path: str
    size: int
    sha256: str
    pieces: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """All files of one model, and what their headers say."""

    files: tuple[Arrived, ...]
    facts: ModelFacts
    own: bool = False  # they lie in our own models folder already, and keep the names they have there
    kept: bool = False  # nobody knows whether everybody may have it: it is for this node alone at first


@dataclass(frozen=True, slots=True)
class ImportedModel:
    receipt: Receipt
    how: Taken  # linked: the library and the place it came from share one file
    kept: bool = False  # from the household, until its owner shares it by name


@dataclass(frozen=True, slots=True)
class Adopted:
    imported: tuple[ImportedModel, ...]
    skipped: tuple[Skipped, ...] = ()
