"""What a node shows its household of its library: models with the hashes of their files, and one digest of all of it.

A list is a claim of who sends it. Sizes are bounded here; whether names are safe to become paths is for who uses them.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, ValidationError

from thorp.base.errors import IntegrityError
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER, canonical_bytes
from thorp.wire.model import Message
from thorp.wire.strictjson import BadJsonError, check_shape

MOST_MODELS: Final = 5000
MOST_FILES: Final = 4096  # of one model
LARGEST_LIST: Final = 8 * 1024 * 1024  # bytes on the wire

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Infohash = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
BlobName = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
Count = Annotated[int, Field(ge=0, le=LARGEST_WHOLE_NUMBER)]
Word = Annotated[str, Field(max_length=255)]
Node = Annotated[str, Field(max_length=128)]


class BadListError(IntegrityError):
    """A neighbour's list of models that cannot be read as one."""

    code = "wire.bad_list"


class SharedFile(Message):
    path: Annotated[str, Field(min_length=1, max_length=512)]
    size: Count
    sha256: Sha256
    blob: BlobName = Field(description="What a Hugging Face cache calls its blob: the SHA-256, or git's own SHA-1.")
    infohash: Infohash | None = Field(default=None, description="Of its household torrent; null: it rides none.")


class SharedModel(Message):
    """One artifact of one revision, whole and proven where it lies."""

    model_id: Annotated[str, Field(min_length=1, max_length=512)]
    repo: Annotated[str, Field(min_length=3, max_length=193)]
    revision: Commit
    version: Annotated[str, Field(min_length=1, max_length=200)]
    artifact: Annotated[str, Field(min_length=1, max_length=255)]
    format: Annotated[str, Field(max_length=32)]
    quant: Word | None = None
    size_bytes: Count
    license: Word | None = None
    parameters: Count | None = None
    projector: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="The path of a file.")
    added: Annotated[str, Field(max_length=64)] = Field(description="RFC 3339, UTC.")
    files: Annotated[tuple[SharedFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    publication: dict[str, object] | None = Field(default=None, description="Its signed manifest, if it has one.")


class SharedList(Message):
    """What `GET /mesh/v1/models` answers."""

    node: Node
    models: Annotated[tuple[SharedModel, ...], Field(max_length=MOST_MODELS)]


def list_bytes(models: Sequence[SharedModel]) -> bytes:
    """The canonical bytes of a list of models, in the order it has."""
    return canonical_bytes([one.model_dump(mode="json") for one in models])


def list_digest(models: Sequence[SharedModel]) -> str:
    """The SHA-256 of a list of models, in the order it has."""
    return hashlib.sha256(list_bytes(models)).hexdigest()


def read_shared_list(content: bytes) -> SharedList:
    """A list as a neighbour sent it; fails with a BadListError. Measured before any of it is built."""
    if len(content) > LARGEST_LIST:
        raise BadListError(f"A neighbour sent a list of more than {LARGEST_LIST} bytes; it is not read.")
    try:
        check_shape(content)
        return SharedList.model_validate_json(content)
    except BadJsonError as error:
        raise BadListError(f"A neighbour sent a list of models that is not read. {error.message}") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
        raise BadListError(f"A neighbour sent a list of models that is none (at `{where[:120]}`).") from None
