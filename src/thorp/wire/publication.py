"""What goes with a model that its owner publishes: a signed manifest of what it is and of the hashes of its files.

A signature says who published these hashes, and nothing about the bytes: those are proven on arrival as always.
"""

import base64
from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, ValidationError

from thorp.base.errors import IntegrityError, UsageError
from thorp.base.printable import printable
from thorp.identity.ids import BadNodeIdError, parse_node_id
from thorp.identity.keys import BadSignatureError, NodeKey, verify
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER, NotCanonicalError, canonical_bytes
from thorp.wire.model import Message

KIND: Final = "publication"
MOST_FILES: Final = 4096
MOST_TORRENTS: Final = 2 * MOST_FILES
MOST_TAGS: Final = 32
MOST_HINTS: Final = 32
LONGEST_DESCRIPTION: Final = 4000
LARGEST: Final = 4 * 1024 * 1024  # bytes of a signed manifest

Listed: TypeAlias = tuple[str, int, str]  # path, size and SHA-256 of a file
Count = Annotated[int, Field(ge=0, le=LARGEST_WHOLE_NUMBER)]
Digest1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Digest256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FilePath = Annotated[str, Field(min_length=1, max_length=512)]
Name = Annotated[str, Field(min_length=3, max_length=193)]
Word = Annotated[str, Field(min_length=1, max_length=255)]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class BadPublicationError(IntegrityError):
    """A manifest that is none, that was changed after it was signed, or that speaks of other files."""

    code = "wire.bad_publication"


class NotThePublisherError(UsageError):
    """A manifest that names another publisher than the key that is to sign it."""

    code = "wire.not_the_publisher"


class PublishedFile(Message):
    path: FilePath
    size: Count
    sha256: Digest256


class PublishedTorrent(Message):
    """A torrent that one of the files rides."""

    path: FilePath
    recipe: Literal["household", "public"]
    infohash: Digest1
    infohash_v2: Digest256 | None = Field(default=None, description="Of a public torrent: SHA-256 of its dictionary.")


class Hint(Message):
    """One setting that its publisher recommends to run the model with."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
    value: Annotated[str, Field(max_length=255)] = Field(description="As text: there are no fractions in signed data.")


class Publication(Message):
    """What a publisher says about one artifact."""

    v: Literal[1] = 1
    name: Name = Field(description="`org/model`.")
    version: Annotated[str, Field(min_length=1, max_length=200)]
    model_id: Annotated[str, Field(min_length=1, max_length=512)]
    revision: Digest1
    artifact: Word
    format: Annotated[str, Field(min_length=1, max_length=32)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    license: Word | None = None
    architecture: Word | None = None
    parameters: Count | None = None
    quant: Word | None = None
    context: Count | None = None
    hints: Annotated[tuple[Hint, ...], Field(max_length=MOST_HINTS)] = ()
    total_size: Count
    files: Annotated[tuple[PublishedFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    torrents: Annotated[tuple[PublishedTorrent, ...], Field(max_length=MOST_TORRENTS)] = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS)] = ()
    dht: bool = Field(default=True, description="Whether its public torrents may be announced in the DHT.")
    publisher: Annotated[str, Field(max_length=128)] = Field(description="The node id whose key signs.")
    created: Annotated[str, Field(max_length=64)] = Field(description="RFC 3339, UTC; shown, and decides nothing.")


class SignedPublication(Message):
    publication: Publication
    signature: Annotated[str, Field(max_length=88)] = Field(description="Ed25519 over the canonical bytes, in base64.")


def sign_publication(publication: Publication, key: NodeKey) -> SignedPublication:
    if publication.publisher != key.node_id:
        raise NotThePublisherError(f"{publication.name} names another publisher than this node; it is not signed.")
    signature = key.sign(KIND, canonical_bytes(publication.model_dump(mode="json")))
    return SignedPublication(publication=publication, signature=base64.b64encode(signature).decode("ascii"))


def verify_publication(signed: SignedPublication) -> Publication:
    """What was published, exactly as its publisher signed it."""
    said = signed.publication
    try:
        publisher = parse_node_id(said.publisher)
        signature = base64.b64decode(signed.signature, validate=True)
        verify(publisher, KIND, canonical_bytes(said.model_dump(mode="json")), signature)
    except (BadSignatureError, BadNodeIdError, NotCanonicalError, ValueError):
        raise BadPublicationError(
            f"The manifest of {_shown(said.name)} was changed after it was signed, or never signed by "
            f"{_shown(said.publisher)}. Nothing was fetched; ask who shares it, or take it from somewhere else."
        ) from None
    if sum(one.size for one in said.files) != said.total_size or len({one.path for one in said.files}) < len(
        said.files
    ):
        raise BadPublicationError(f"The manifest of {_shown(said.name)} contradicts itself about its files.")
    return said


def read_publication(given: object) -> SignedPublication:
    """A manifest as it came with a list, or as it lay in a file. Its signature is not looked at here."""
    try:
        content = given if isinstance(given, bytes) else canonical_bytes(given)
        if len(content) > LARGEST:
            raise BadPublicationError(f"A manifest has more than {LARGEST} bytes; it is not read.")
        return SignedPublication.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
        raise BadPublicationError(f"What came as a manifest is none (at `{_shown(where)}`).") from None
    except NotCanonicalError:
        raise BadPublicationError("What came as a manifest holds what no manifest can hold.") from None


def check_publication(given: object, name: str, revision: str, files: Iterable[Listed]) -> Publication:
    """Return only when a manifest is signed by its publisher and speaks of exactly this artifact and these bytes."""
    said = verify_publication(read_publication(given))
    if (said.name, said.revision) != (name, revision):
        raise BadPublicationError(
            f"The manifest that came with {_shown(name)} is one of {_shown(said.name)}. Nothing was fetched."
        )
    if {(one.path, one.size, one.sha256) for one in said.files} != set(files):
        raise BadPublicationError(
            f"{_shown(name)} is offered with other files than those its publisher signed. Nothing was fetched; "
            "take it from somebody else."
        )
    return said


def _shown(text: str) -> str:
    return printable(text[:120])
