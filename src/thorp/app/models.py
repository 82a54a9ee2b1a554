"""Puts the models feature together, for a node and for a command line that works without one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from thorp.app.environment import HubVariables
from thorp.app.hub_token import kept_token
from thorp.app.paths import Paths
from thorp.app.settings import Settings
from thorp.app.shelf import library_of, models_folder
from thorp.base.clock import Clock, Randomness
from thorp.base.files import DISK
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import TaskScope
from thorp.machine.snapshot import read_snapshot
from thorp.models.capabilities import offers
from thorp.models.fetching import Pace
from thorp.models.household_swarm import Engine, HouseholdSwarm, Peer
from thorp.models.layout import PUBLICATION
from thorp.models.library_desk import LibraryDesk, Links, Outside, What
from thorp.models.offered import NO_NEIGHBOURS
from thorp.models.ports import Neighbours
from thorp.models.public_swarm import Engine as PublicEngine
from thorp.models.public_swarm import Everywhere, Lines, PublicSwarm
from thorp.models.publish import Publisher, magnets_of, own_manifest, public_seeds
from thorp.models.pull import Puller
from thorp.models.pull_desk import PullDesk
from thorp.models.receipts import Receipt
from thorp.models.records import Record, RecordBook
from thorp.models.repair import Repairer
from thorp.models.resolve import Resolver
from thorp.models.settings import HUGGING_FACE, TransferSettings
from thorp.models.share_desk import ShareDesk, share_offers
from thorp.models.shared import Shared, SharingDesk
from thorp.models.sources.hub import HubSource
from thorp.models.stages import Reached, unwatched
from thorp.models.transfer_desk import TransferDesk, transfer_row
from thorp.models.transfers import Tools, Transfers
from thorp.net.egress import Guard
from thorp.net.outward import Outward
from thorp.store.keyfiles import node_key
from thorp.wire.capability import Offer
from thorp.wire.changes import Change, LibraryChanged, TransferChanged
from thorp.wire.publication import Publication

MODELS: Final = 15


def no_engine() -> None:
    """Without a node nothing is handed out and nothing comes by the swarm."""


def nowhere(_infohash: str) -> str | None:
    """Other clients of the house get nothing."""


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
    neighbours: Neighbours = NO_NEIGHBOURS
    engine: Callable[[], Engine | None] = no_engine
    peers: Callable[[], tuple[Peer, ...]] = tuple
    public_engine: Callable[[], PublicEngine | None] = no_engine
    lines: Lines = field(default_factory=Lines)
    torrent_at: Callable[[str], str | None] = nowhere  # where other clients of the house get a torrent, by infohash


@dataclass(frozen=True, slots=True)
class Models:
    """The feature, put together."""

    transfers: Transfers
    offers: tuple[Offer, ...]
    rescan: Callable[[], object]
    close: Callable[[], None]
    refresh: Callable[[], None]  # look again at what members are handed by torrent; blocks
    refresh_public: Callable[[], None]  # the same for everybody
    handed: Callable[[], frozenset[bytes]]  # what members are handed by torrent

    def review(self, _old: Settings, new: Settings, /) -> tuple[str, ...]:
        place = Path(new.models.dir).expanduser()
        if new.models.dir and place.exists() and not place.is_dir():
            return (f"`models.dir` is `{place}`, which is no folder.",)
        return ()

    async def apply(self, _old: Settings, new: Settings, /) -> None:
        self.transfers.limit_all(new.transfers.limit)


def build_models(ground: Ground) -> Models:
    outward, hub = hub_of(ground)
    library, stores = library_of(ground.paths, models_folder(ground.paths, ground.hub, ground.settings().models))
    shared = Shared(library, ground.clock, lambda: ground.settings().sharing.household)
    swarm = HouseholdSwarm(ground.engine, ground.neighbours, shared, ground.peers)
    key = partial(node_key, DISK, ground.paths.keys, ground.randomness)
    public = PublicSwarm(ground.public_engine, lambda: public_seeds(library, key().node_id))
    everywhere = Everywhere((swarm, public, ground.lines))

    def published(receipt: Receipt) -> Publication | None:
        """A home that published nothing needs no key to say so."""
        has_any = library.path(receipt).with_name(PUBLICATION).exists()
        return own_manifest(library, receipt, key().node_id) if has_any else None

    puller = Puller(
        library=library,
        stores=stores,
        sources=lambda: (hub,),
        clock=ground.clock,
        randomness=ground.randomness,
        reached=ground.reached,
        neighbours=ground.neighbours,
        swarm=swarm,
    )
    told = Told(ground.announce)
    transfers = transfers_of(ground, puller, library.layout.transfers, told)
    resolver = Resolver(library, stores, hub, lambda: read_snapshot(ground.clock), ground.neighbours)
    desk = LibraryDesk(
        library=library,
        stores=stores,
        resolver=resolver,
        repairer=Repairer(puller, hub),
        transfers=transfers,
        clock=ground.clock,
        randomness=ground.randomness,
        pace=lambda: pace_of(ground.settings().transfers),
        changed=told.library,
        refresh=everywhere.refresh,
        outside=lambda receipt: outside_of(ground, receipt, published(receipt), seen=shared.may_be_seen(receipt)),
    )
    pulling = PullDesk(resolver, transfers, hub, hub.without_token())
    sharing = ShareDesk(
        library=library,
        stores=stores,
        clock=ground.clock,
        randomness=ground.randomness,
        publisher=Publisher(library, ground.clock, key),
        seeding=everywhere,
        changed=lambda ids: told.library("changed", ids),
        everybody=lambda: ground.settings().swarm.public,
        household=lambda: ground.settings().sharing.household,
    )
    moving = TransferDesk(transfers, ground.keep_limit)
    every = (*offers(pulling, desk, moving, SharingDesk(shared)), *share_offers(sharing))

    def close() -> None:
        hub.end()
        outward.close()

    return Models(transfers, every, library.rescan, close, swarm.refresh, public.refresh, swarm.handed)


def hub_of(ground: Ground) -> tuple[Outward, HubSource]:
    """The hub the owner chose, and the one way out that leads to it."""
    endpoint = (ground.hub.endpoint or HUGGING_FACE).rstrip("/")
    outward = Outward(Guard(lambda: (endpoint,)), clock=ground.clock)
    return outward, HubSource(
        endpoint, lambda: ground.hub.token or kept_token(ground.paths.hub_token), outward, ground.hub.offline
    )


def transfers_of(ground: Ground, puller: Puller, folder: Path, told: "Told") -> Transfers:
    return Transfers(
        Tools(
            puller=puller,
            book=RecordBook(folder),
            clock=ground.clock,
            randomness=ground.randomness,
            settings=lambda: ground.settings().transfers,
            told=told.transfer,
            finished=told.finished,
        )
    )


def outside_of(ground: Ground, receipt: Receipt, said: Publication | None, *, seen: bool) -> Outside:
    """Who else may have a model now, and by which way other programs get its files."""
    magnets = magnets_of(said) if said else {}
    links = {
        one.path: Links(ground.torrent_at(one.infohash) if one.infohash else None, magnets.get(one.path))
        for one in receipt.files
    }
    if magnets and ground.public_engine() is not None:
        return Outside("everybody", links)
    return Outside("household" if seen else "nobody", links)


def pace_of(settings: TransferSettings) -> Pace:
    """For work that has no budget of its own."""
    return Pace(ranges=settings.ranges, mix=settings.mix)


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
