"""Puts the models feature together, for a node and for a command line that works without one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.app.environment import HubVariables
from thorp.app.hub_token import kept_token
from thorp.app.paths import Paths
from thorp.app.settings import Settings
from thorp.app.shelf import library_of, models_folder
from thorp.base.clock import Clock, Randomness
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import TaskScope
from thorp.machine.snapshot import read_snapshot
from thorp.models.capabilities import offers
from thorp.models.fetching import Pace
from thorp.models.library_desk import LibraryDesk, What
from thorp.models.pull import Puller
from thorp.models.pull_desk import PullDesk
from thorp.models.receipts import Receipt
from thorp.models.records import Record, RecordBook
from thorp.models.repair import Repairer
from thorp.models.resolve import Resolver
from thorp.models.settings import HUGGING_FACE
from thorp.models.sources.hub import HubSource
from thorp.models.stages import Reached, unwatched
from thorp.models.transfer_desk import TransferDesk, transfer_row
from thorp.models.transfers import Tools, Transfers
from thorp.net.egress import Guard
from thorp.net.outward import Outward
from thorp.wire.capability import Offer
from thorp.wire.changes import Change, LibraryChanged, TransferChanged

MODELS: Final = 15


@dataclass(frozen=True, slots=True)
class Ground:
    """What the feature stands on."""

    paths: Paths
    hub: HubVariables
    settings: Callable[[], Settings]
    clock: Clock
    randomness: Randomness
    announce: Callable[[Change], None]
    keep_limit: Callable[[int], Awaitable[None]]
    reached: Reached = unwatched


@dataclass(frozen=True, slots=True)
class Models:
    """The feature, put together."""

    transfers: Transfers
    offers: tuple[Offer, ...]
    rescan: Callable[[], object]
    close: Callable[[], None]

    def review(self, _old: Settings, new: Settings, /) -> tuple[str, ...]:
        place = Path(new.models.dir).expanduser()
        if new.models.dir and place.exists() and not place.is_dir():
            return (f"`models.dir` is `{place}`, which is no folder.",)
        return ()

    async def apply(self, _old: Settings, new: Settings, /) -> None:
        self.transfers.limit_all(new.transfers.limit)


def build_models(ground: Ground) -> Models:
    endpoint = (ground.hub.endpoint or HUGGING_FACE).rstrip("/")
    outward = Outward(Guard(lambda: (endpoint,)), clock=ground.clock)
    hub = HubSource(
        endpoint, lambda: ground.hub.token or kept_token(ground.paths.hub_token), outward, ground.hub.offline
    )
    library, stores = library_of(ground.paths, models_folder(ground.paths, ground.hub, ground.settings().models))
    puller = Puller(library, stores, lambda: (hub,), ground.clock, ground.randomness, ground.reached)
    told = Told(ground.announce)
    transfers = Transfers(
        Tools(
            puller=puller,
            book=RecordBook(library.layout.transfers),
            clock=ground.clock,
            randomness=ground.randomness,
            settings=lambda: ground.settings().transfers,
            told=told.transfer,
            finished=told.finished,
        )
    )
    resolver = Resolver(library, stores, hub, lambda: read_snapshot(ground.clock))
    desk = LibraryDesk(
        library=library,
        stores=stores,
        resolver=resolver,
        repairer=Repairer(puller, hub),
        transfers=transfers,
        clock=ground.clock,
        randomness=ground.randomness,
        pace=lambda: Pace(ranges=ground.settings().transfers.ranges),
        changed=told.library,
    )
    pulling = PullDesk(resolver, transfers, hub, hub.without_token())
    every = offers(pulling, desk, TransferDesk(transfers, ground.keep_limit))

    def close() -> None:
        hub.end()
        outward.close()

    return Models(transfers, every, library.rescan, close)


@dataclass(frozen=True, slots=True)
class Told:
    """What the feature does, told to everybody who watches."""

    announce: Callable[[Change], None]

    def transfer(self, record: Record, *, here: bool) -> None:
        row = transfer_row(record, here=here)
        self.announce(TransferChanged.model_validate(row.model_dump()))

    def finished(self, receipt: Receipt) -> None:
        self.library("added", (receipt.model_id,))

    def library(self, what: What, model_ids: tuple[str, ...]) -> None:
        self.announce(LibraryChanged(what=what, model_ids=model_ids))


class ModelsService:
    """Carries transfers for as long as the node runs, and goes on with those of a process that died."""

    spec = ServiceSpec("models", MODELS, stop_within=6.0)

    def __init__(self, models: Models) -> None:
        self._models = models

    async def run(self, life: Life) -> None:
        transfers = self._models.transfers
        await transfers.open()
        await asyncio.to_thread(self._models.rescan)
        try:
            async with TaskScope("models") as scope:
                scope.start("take over", transfers.take_over())
                life.ready()
                await life.until_stop()
        finally:
            self._models.close()
            await transfers.close()
