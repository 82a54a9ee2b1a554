"""Sharing models on purpose, and ceasing to: with the household, or with everybody."""

from typing import Annotated, Final

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.wire.capabilities.models import A_DAY, Ref, Skipped, WorkFrame
from thorp.wire.capability import Capability, Idempotent, Limits
from thorp.wire.model import Message
from thorp.wire.publication import LONGEST_DESCRIPTION, MOST_HINTS, MOST_TAGS, Tag

DEEPEST: Final = 1_000_000
Words = Annotated[str, Field(min_length=1, max_length=200)]


class ShareRequest(Message):
    """Exactly one of `ref`, `path`, `git` and `all` says what. A key may name a `ref` and nothing more."""

    ref: Ref | None = Field(default=None, description="A model of this node.")
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="A file or folder of this machine; it is taken into the library first."
    )
    git: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        default=None, description="A git repository by https or ssh; it is cloned and taken into the library first."
    )
    every: bool = Field(default=False, alias="all", description="Every model of this node that may be shared.")
    name: Annotated[str, Field(max_length=193)] | None = Field(
        default=None, description="`org/model`; a path needs it, a repository mostly has one."
    )
    license: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="For example `apache-2.0`; a path needs it."
    )
    version: Words | None = Field(default=None, description="What to call this version; null: as it is known here.")
    branch: Words | None = Field(default=None, description="Of the repository; null: its default.")
    depth: Annotated[int, Field(ge=0, le=DEEPEST)] = Field(default=1, description="Commits to clone; 0: all of them.")
    skip_lfs: bool = Field(default=False, description="Leave out what the repository keeps in Git LFS.")
    copy_files: bool = Field(
        default=False, alias="copy", description="Copy where files can be neither cloned nor linked."
    )
    public: bool = Field(default=False, description="With everybody, by a public torrent; else with the household.")
    piece_length: Annotated[int, Field(ge=16 * 1024, le=256 * 1024 * 1024)] | None = Field(
        default=None, description="Of a public torrent; a power of two. null: 16 MiB."
    )
    sign: bool = Field(default=True, description="Write a manifest and sign it with the key of this node.")
    skip_dht: bool = Field(default=False, description="Do not announce a public torrent in the DHT.")
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    tags: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS)] = ()
    hints: Annotated[dict[str, str], Field(max_length=MOST_HINTS)] = Field(
        default_factory=dict, description="Settings to run it with, as text."
    )


class Shared(Message):
    """One model that is shared now."""

    ref: str
    model_id: str
    name: str
    size_bytes: int
    license: str | None
    files: int
    public: bool
    signed: bool = Field(description="Whether a manifest goes with it.")
    publisher: str | None = Field(description="Who signed; null: nobody.")
    infohashes: tuple[str, ...] = Field(description="Of its torrents; empty: it goes over the household's own lines.")
    magnets: tuple[str, ...] = Field(default=(), description="Links for everybody, one for each file of a public one.")


class ShareAnswer(Message):
    shared: tuple[Shared, ...]
    skipped: tuple[Skipped, ...]


MODEL_SHARE = Capability(
    name="model.share",
    version="1.0",
    summary="Shares a model with the household, or with everybody; a folder or a repository becomes one first.",
    request=ShareRequest,
    frames=WorkFrame,
    answer=ShareAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=A_DAY, concurrent=2),
)


class UnshareRequest(Message):
    ref: Ref


class UnshareAnswer(Message):
    ref: str
    model_id: str
    was_public: bool = Field(description="Whether it was shared with everybody. Copies that others have stay theirs.")


MODEL_UNSHARE = Capability(
    name="model.unshare",
    version="1.0",
    summary="Ceases to share a model, at once and with everybody; the model stays on this node.",
    request=UnshareRequest,
    answer=UnshareAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=60),
)
