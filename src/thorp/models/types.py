"""What models are made of: files, repositories, artifacts. Frozen data and pure functions on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GIT_NAME: Final = 40  # hex digits of a SHA-1


class SourceKind(StrEnum):
    HUB = "hub"
    LAN = "lan"
    SWARM = "swarm"
    GIT = "git"
    IMPORT = "import"


class Format(StrEnum):
    GGUF = "gguf"
    SAFETENSORS = "safetensors"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository, as its hub lists it."""

    path: str
    size: int
    blob: str  # the name huggingface_hub gives its blob: `sha256` for large files, else git's own SHA-1
    sha256: str | None = None  # of files kept by LFS or Xet; None: only git's own SHA-1 is known

    @property
    def named_by_git(self) -> bool:
        """Whether its blob has git's own SHA-1 for a name, which is proven too then."""
        return len(self.blob) == GIT_NAME


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of one revision."""

    repo: str
    revision: str
    file: RemoteFile


@dataclass(frozen=True, slots=True)
class RemoteRepo:
    """One revision of a repository."""

    repo: str
    revision: str  # 40 hex
    files: tuple[RemoteFile, ...]
    license: str | None = None
    gated: bool = False
    downloads: int = 0
    parameters: int | None = None
    tags: tuple[str, ...] = ()
    base_model: str | None = None
    file_type: str | None = None  # of its safetensors, as the hub counts them: the dtype most parameters have


@dataclass(frozen=True, slots=True)
class Hit:
    """One repository that a search found."""

    repo: str
    downloads: int
    likes: int
    gated: bool
    license: str | None
    updated: str | None  # RFC 3339
    tags: tuple[str, ...] = ()
    parameters: int | None = None
    quants: tuple[str, ...] = ()  # known only of what neighbours have
    neighbours: tuple[str, ...] = ()  # who says so, by name


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """One file of a neighbour's model."""

    path: str
    size: int
    sha256: str
    blob: str  # as in `RemoteFile`
    infohash: str | None = None  # of its household torrent; None: it rides none


@dataclass(frozen=True, slots=True)
class Offered:
    """A model that one neighbour says it has. A claim: every name in it is safe, nothing of it is proven."""

    node: str
    name: str  # the neighbour's, for people
    model_id: str
    repo: str
    revision: str
    version: str
    artifact: str
    format: Format
    quant: str
    files: tuple[OfferedFile, ...]
    license: str | None = None
    parameters: int | None = None
    projector: str | None = None  # the path of one of `files`
    added: str = ""  # RFC 3339, by the neighbour's clock: for people
    publication: Mapping[str, object] | None = None  # its signed manifest, not verified here

    @property
    def rides(self) -> bool:
        """Whether a household torrent of it may exist: its neighbour gives it away by one."""
        return any(one.infohash for one in self.files)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One artifact that a repository offers: a file, a set of shards, or a folder of safetensors."""

    model_id: str
    quant: str  # of a folder of safetensors: its dtype, `unknown` where nobody says
    name: str  # file name without shard suffix and extension; `_` for a folder
    format: Format
    files: tuple[RemoteFile, ...]  # shards in order; of a folder, its configuration too
    projector: RemoteFile | None = None
    claimed_by: str | None = None  # the neighbour whose word is all there is for its hashes; None: a hub says so
    rides: bool = True  # whether it may ride a household torrent

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files) + (self.projector.size if self.projector else 0)

    @property
    def every_file(self) -> tuple[RemoteFile, ...]:
        return (*self.files, self.projector) if self.projector else self.files
