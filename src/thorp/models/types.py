"""What models are made of: files, repositories, artifacts. Frozen data and pure functions on it."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One artifact that a repository offers: a file, a set of shards, or a folder of safetensors."""

    model_id: str
    quant: str  # of a folder of safetensors: its dtype, `unknown` where nobody says
    name: str  # file name without shard suffix and extension; `_` for a folder
    format: Format
    files: tuple[RemoteFile, ...]  # shards in order; of a folder, its configuration too
    projector: RemoteFile | None = None

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files) + (self.projector.size if self.projector else 0)

    @property
    def every_file(self) -> tuple[RemoteFile, ...]:
        return (*self.files, self.projector) if self.projector else self.files
