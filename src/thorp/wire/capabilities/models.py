"""The library of a node, and how models come into it."""

from typing import Annotated, Literal

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.wire.capabilities.hub import HubHit
from thorp.wire.capability import Capability, Example, Idempotent, Limits, Nothing
from thorp.wire.model import Message

A_DAY = 86_400.0
Ref = Annotated[str, Field(min_length=1, max_length=512)]
Revision = Annotated[str, Field(min_length=1, max_length=200)]
Rate = Annotated[int, Field(ge=0, le=10**12)]
ModelState = Literal["complete", "missing", "damaged"]
Badge = Literal["fits", "tight", "too big"]
SharedWith = Literal["nobody", "household", "everybody"]


class ModelRow(Message):
    model_id: str
    aliases: tuple[str, ...]
    repo: str
    revision: str
    artifact: str
    format: str
    quant: str | None
    size_bytes: int
    license: str | None
    gated: bool
    source: str = Field(description="hub, lan, swarm, git or import.")
    downloaded_at: str = Field(description="RFC 3339, UTC.")
    state: ModelState = Field(description="missing: not where it was; damaged: not what it was, when somebody looked.")
    reason: str = Field(description="Why it is missing; empty when it is not.")


class LibraryAnswer(Message):
    folder: str | None = Field(
        description="The models folder; other programs find the files there, too. null: only the owner is told."
    )
    models: tuple[ModelRow, ...]
    unreadable: tuple[str, ...] = Field(description="Receipts that cannot be read, and why.")


LIBRARY_LIST = Capability(
    name="library.list",
    version="1.0",
    summary="Lists every model of this node, by id.",
    request=Nothing,
    answer=LibraryAnswer,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class ModelRef(Message):
    ref: Ref = Field(description="An id, an alias, `org/repo`, `org/repo:quant` or `org/repo@revision:quant`.")


class ModelFile(Message):
    path: str
    size: int
    sha256: str
    infohash: str | None
    at: str | None = Field(description="Where it lies; null while it is missing, and for who is not the owner.")
    torrent: str | None = Field(
        default=None,
        description="Where other BitTorrent clients of the house get its torrent while `swarm.tracker` is on; "
        "null for who is not the owner.",
    )
    magnet: str | None = Field(default=None, description="The link for everybody, of what is shared with everybody.")


class ModelSource(Message):
    kind: str
    detail: str


class ModelAnswer(Message):
    """The receipt of a model, and how its files are."""

    model_id: str
    aliases: tuple[str, ...]
    repo: str
    revision: str
    artifact: str
    version: str
    format: str
    files: tuple[ModelFile, ...]
    claimed_by: str | None
    license: str | None
    gated: bool
    shared: SharedWith = Field(description="Who else may have it now.")
    architecture: str | None
    parameters: int | None
    context_length: int | None
    quant: str | None
    modalities: tuple[str, ...]
    projector: str | None
    source: ModelSource
    downloaded_at: str
    verified_at: str
    size_bytes: int
    state: ModelState
    reason: str
    fit: Badge | None = Field(description="Whether it fits this machine's memory; null: unknown.")
    receipt: str | None = Field(description="Where the receipt lies; null for who is not the owner.")


LIBRARY_SHOW = Capability(
    name="library.show",
    version="1.0",
    summary="Shows one model of this node: its receipt, its files, whether it fits.",
    request=ModelRef,
    answer=ModelAnswer,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
)


class ResolveRequest(Message):
    ref: Ref
    quant: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="For example `q4_k_m`.")
    revision: Revision | None = Field(default=None, description="A branch, a tag or a commit; null: the newest.")
    source: Literal["hub", "lan", "swarm"] | None = Field(
        default=None, alias="from", description="Ask only there; null: wherever it can be had."
    )


class Choice(Message):
    """One artifact that could be pulled."""

    ref: str = Field(description="What to pull to get exactly this one.")
    model_id: str
    quant: str
    size_bytes: int
    files: int
    fit: Badge | None = Field(description="Whether it fits this machine's memory; null: unknown.")
    recommended: bool


class ResolveAnswer(Message):
    """What a ref means. Exactly one of `repos` and `choices` is filled; one choice is an answer."""

    ref: str
    repo: str | None
    revision: str | None
    license: str | None
    gated: bool
    in_library: bool = Field(description="Whether every choice is here already, whole.")
    repos: tuple[HubHit, ...] = Field(description="Where the ref was a query: repositories, most downloaded first.")
    choices: tuple[Choice, ...] = Field(description="Artifacts of one repository, smallest first.")
    free_bytes: int | None = Field(description="Room on the models folder's disk; null: unknown.")


MODEL_RESOLVE = Capability(
    name="model.resolve",
    version="1.0",
    summary="Says what a ref means: repositories, or the artifacts of one with size and fit. Fetches nothing.",
    request=ResolveRequest,
    answer=ResolveAnswer,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=120, concurrent=8),
)


class PullRequest(ResolveRequest):
    limit: Rate | None = Field(default=None, description="Bytes a second for this one; 0: no limit; null: as it was.")
    yes: bool = Field(
        default=False,
        description="Do not ask: of several take the most downloaded repository and the recommended artifact.",
    )


class PullAnswer(Message):
    transfer_id: str | None = Field(description="null: it was complete already.")
    ref: str
    model_id: str
    repo: str
    revision: str
    size_bytes: int
    license: str | None
    gated: bool
    state: str = Field(description="As of its transfer; `done` when it was complete already.")


MODEL_PULL = Capability(
    name="model.pull",
    version="1.0",
    summary="Begins to pull a model, or joins a transfer of it that runs; answers before the bytes are here.",
    request=PullRequest,
    answer=PullAnswer,
    scope=Scope.MODELS_WRITE,
    limits=Limits(seconds=180, concurrent=16),
    idempotent=Idempotent.YES,
)


class WorkFrame(Message):
    """How far long work on files is."""

    file: str
    done: int
    total: int


class FileVerdict(Message):
    path: str
    ok: bool
    problem: str = Field(description="Empty when it is whole.")
    bad_pieces: tuple[int, ...] = Field(description="Which 16 MiB pieces differ, where that is known.")


class ModelVerdict(Message):
    ref: str
    model_id: str
    ok: bool
    files: tuple[FileVerdict, ...]


class VerifyAnswer(Message):
    ok: bool
    models: tuple[ModelVerdict, ...]


class VerifyRequest(Message):
    ref: Ref | None = Field(default=None, description="null: every model.")


LIBRARY_VERIFY = Capability(
    name="library.verify",
    version="1.0",
    summary="Reads every byte of a model, or of all, and compares it with its receipt.",
    request=VerifyRequest,
    frames=WorkFrame,
    answer=VerifyAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=A_DAY, concurrent=2),
)


class RepairAnswer(Message):
    ok: bool
    ref: str
    model_id: str
    files: tuple[FileVerdict, ...] = Field(description="As they were before.")
    fetched: int = Field(description="Bytes that were fetched again.")


LIBRARY_REPAIR = Capability(
    name="library.repair",
    version="1.0",
    summary="Finds what is wrong with a model's files and fetches only that again.",
    request=ModelRef,
    frames=WorkFrame,
    answer=RepairAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=A_DAY, concurrent=2),
)


class RemoveRequest(Message):
    ref: Ref
    dry_run: bool = Field(default=False, description="Only say what would go.")


class Removed(Message):
    what: str = Field(description="A model id, or what kind of leftover it is.")
    ref: str
    reason: str
    bytes: int = Field(description="Room that it gives free; what another model shares stays.")


class RemoveAnswer(Message):
    removed: tuple[Removed, ...]
    freed_bytes: int
    dry_run: bool


LIBRARY_REMOVE = Capability(
    name="library.remove",
    version="1.0",
    summary="Removes a model from this node; refused while something uses it.",
    request=RemoveRequest,
    answer=RemoveAnswer,
    scope=Scope.MODELS_WRITE,
    limits=Limits(seconds=120),
)


class PruneRequest(Message):
    older_than: Annotated[float, Field(ge=0, le=10**10)] | None = Field(
        default=None, description="Seconds: models that were not used for that long go, too."
    )
    dry_run: bool = Field(default=False, description="Only say what would go.")


LIBRARY_PRUNE = Capability(
    name="library.prune",
    version="1.0",
    summary="Removes unfinished and quarantined leftovers and superseded revisions; with an age, models long unused.",
    request=PruneRequest,
    answer=RemoveAnswer,
    scope=Scope.MODELS_WRITE,
    limits=Limits(seconds=600, concurrent=1),
)


class ImportRequest(Message):
    path: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="A file, a folder, a Hugging Face cache, an Ollama store, or a bundle that `export` made."
    )
    name: Annotated[str, Field(max_length=200)] | None = Field(default=None, description="`org/repo` to file it under.")
    license: Annotated[str, Field(max_length=100)] | None = Field(default=None, description="For example `apache-2.0`.")
    copy_files: bool = Field(
        default=False, alias="copy", description="Copy where files can be neither cloned nor linked."
    )


class Imported(Message):
    ref: str
    model_id: str
    size_bytes: int
    how: Literal["cloned", "linked", "copied", "present"] = Field(description="How its bytes came into the library.")
    kept_back: bool = Field(
        default=False,
        description="It is for this node alone until its owner shares it: a cache does not tell what is gated.",
    )


class Skipped(Message):
    path: str
    reason: str


class ImportAnswer(Message):
    imported: tuple[Imported, ...]
    skipped: tuple[Skipped, ...]


LIBRARY_IMPORT = Capability(
    name="library.import",
    version="1.0",
    summary="Takes models that are on this machine already into the library, without copying where that is possible.",
    request=ImportRequest,
    frames=WorkFrame,
    answer=ImportAnswer,
    limits=Limits(seconds=A_DAY, concurrent=1),
)


class AliasRequest(Message):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    ref: Ref


class AliasName(Message):
    name: Annotated[str, Field(min_length=1, max_length=64)]


class AliasAnswer(Message):
    name: str
    model_id: str | None = Field(description="What it stands for; null: nothing any more.")
    ref: str | None


LIBRARY_ALIAS = Capability(
    name="library.alias",
    version="1.0",
    summary="Gives a model a name of your own, which counts wherever a ref does.",
    request=AliasRequest,
    answer=AliasAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
)

LIBRARY_UNALIAS = Capability(
    name="library.unalias",
    version="1.0",
    summary="Takes back a name of your own; the model stays.",
    request=AliasName,
    answer=AliasAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
)


class RescanAnswer(Message):
    models: int
    unreadable: tuple[str, ...]


LIBRARY_RESCAN = Capability(
    name="library.rescan",
    version="1.0",
    summary="Makes the library's index anew from the receipts.",
    request=Nothing,
    answer=RescanAnswer,
    scope=Scope.MODELS_WRITE,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=600, concurrent=1),
)
