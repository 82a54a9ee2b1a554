"""Our own models as the mesh listener shows them: asked for over the bus, answered by `models`."""

import base64
from typing import Final, TypeVar

from thorp.base.errors import InternalError
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import owner
from thorp.mesh.ports import Blob, Shown
from thorp.wire.capabilities.sharing import (
    MODEL_BLOB,
    MODEL_HEADS,
    MODEL_TORRENT,
    BlobAnswer,
    BlobRequest,
    ModelHeads,
    TorrentAnswer,
    TorrentRequest,
)
from thorp.wire.capability import Capability, Nothing
from thorp.wire.model import Message

M = TypeVar("M", bound=Message)
REQUEST: Final = "mesh"


class OwnLibrary:
    """`mesh.ports.Library` over the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def shown(self) -> Shown:
        answer = await self._ask(MODEL_HEADS, Nothing(), ModelHeads)
        return Shown(answer.models, answer.digest)

    async def blob(self, sha256: str) -> Blob:
        answer = await self._ask(MODEL_BLOB, BlobRequest(sha256=sha256), BlobAnswer)
        return Blob(answer.path, answer.size, answer.shareable)

    async def torrent(self, infohash: str) -> bytes:
        answer = await self._ask(MODEL_TORRENT, TorrentRequest(infohash=infohash), TorrentAnswer)
        return base64.b64decode(answer.content)

    async def _ask(self, capability: Capability, request: Message, wanted: type[M]) -> M:
        answer = await self._bus.call(Order(capability.id, owner(), request, request_id=REQUEST))
        if not isinstance(answer, wanted):
            raise InternalError(f"{capability.id} answered with a {type(answer).__name__}.")
        return answer
