import asyncio
import base64

import pytest

from thorp.base.errors import NotFoundError
from thorp.bus.dispatch import Bus
from thorp.mesh.own_library import OwnLibrary
from thorp.mesh.ports import Blob, Shown
from thorp.testing.clock import FakeClock
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
from thorp.wire.capability import Call, Nothing, Offer


async def heads(_call: Call[Nothing]) -> ModelHeads:
    return ModelHeads(models=(), digest="a" * 64)


async def blob(call: Call[BlobRequest]) -> BlobAnswer:
    if call.input.sha256 != "b" * 64:
        raise NotFoundError("There are no such bytes.")
    return BlobAnswer(path="/models/blob", size=3, shareable=True)


async def torrent(_call: Call[TorrentRequest]) -> TorrentAnswer:
    return TorrentAnswer(content=base64.b64encode(b"de").decode())


async def library() -> OwnLibrary:
    bus = Bus(FakeClock(), lambda _change: None)
    for offer in (Offer(MODEL_HEADS, unary=heads), Offer(MODEL_BLOB, unary=blob), Offer(MODEL_TORRENT, unary=torrent)):
        await bus.register(offer)
    return OwnLibrary(bus)


def test_what_models_answer_on_the_bus_is_what_members_get() -> None:
    async def ask() -> tuple[Shown, Blob, bytes]:
        own = await library()
        return await own.shown(), await own.blob("b" * 64), await own.torrent("c" * 40)

    assert asyncio.run(ask()) == (Shown((), "a" * 64), Blob("/models/blob", 3, shareable=True), b"de")


def test_what_is_not_there_is_refused_as_models_refuse_it() -> None:
    async def ask() -> None:
        await (await library()).blob("d" * 64)

    with pytest.raises(NotFoundError):
        asyncio.run(ask())
