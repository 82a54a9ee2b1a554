"""What `models` and `mesh` ask of each other inside one node. No key and no other node reaches these."""

from typing import Annotated

from pydantic import Field

from thorp.wire.capability import Capability, Idempotent, Limits, Nothing
from thorp.wire.model import Message
from thorp.wire.shared import MOST_MODELS, Infohash, Node, Sha256, SharedModel

MOST_NEIGHBOURS = 64
LARGEST_TORRENT = 8 * 1024 * 1024  # in base64


class ModelHeads(Message):
    models: Annotated[tuple[SharedModel, ...], Field(max_length=MOST_MODELS)] = Field(description="Newest first.")
    digest: Sha256 = Field(description="What the announcement carries; equal means: nothing to fetch.")


MODEL_HEADS = Capability(
    name="model.heads",
    version="1.0",
    summary="Lists what this node shows to its household: whole, not gated, not kept back. For the mesh alone.",
    request=Nothing,
    answer=ModelHeads,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=60, concurrent=8),
)


class BlobRequest(Message):
    sha256: Sha256


class BlobAnswer(Message):
    path: str = Field(description="Where the bytes lie; a file, never a link.")
    size: int
    shareable: bool = Field(description="Whether members of the household may have them.")


MODEL_BLOB = Capability(
    name="model.blob",
    version="1.0",
    summary="Says where the bytes of a hash lie, and whether members may have them. For the mesh alone.",
    request=BlobRequest,
    answer=BlobAnswer,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=30, concurrent=64),
)


class TorrentRequest(Message):
    infohash: Infohash


class TorrentAnswer(Message):
    content: Annotated[str, Field(max_length=LARGEST_TORRENT)] = Field(description="Base64 of a `.torrent` file.")


MODEL_TORRENT = Capability(
    name="model.torrent",
    version="1.0",
    summary="Gives the household torrent of a file that members may have. For the mesh alone.",
    request=TorrentRequest,
    answer=TorrentAnswer,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=30, concurrent=32),
)


class NeighbourModels(Message):
    """What one neighbour says it has. A claim, proven by nothing but the bytes."""

    node: Node
    name: Annotated[str, Field(max_length=255)]
    models: Annotated[tuple[SharedModel, ...], Field(max_length=MOST_MODELS)]


class LanHeads(Message):
    """What `lan.heads` answers: the lists of all present neighbours."""

    neighbours: Annotated[tuple[NeighbourModels, ...], Field(max_length=MOST_NEIGHBOURS)]


class LanTorrentRequest(Message):
    infohash: Infohash


class LanTorrent(Message):
    """What `lan.torrent` answers."""

    content: Annotated[str, Field(max_length=LARGEST_TORRENT)] = Field(description="Base64 of a `.torrent` file.")
    node: Node = Field(description="Who gave it.")
