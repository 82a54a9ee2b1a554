"""Builds a node out of its parts. The only place where all rows of the house meet; it wires and decides nothing."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from thorp import __version__, web
from thorp.access.budgets import RequestBudgets
from thorp.access.capabilities import offers as key_offers
from thorp.access.claim import ClaimDesk
from thorp.access.credentials import new_owner_token
from thorp.access.gate import Gate
from thorp.access.keys import KeyRing
from thorp.access.live import LiveCalls
from thorp.access.session_desk import offers as session_offers
from thorp.access.sessions import SessionBook
from thorp.access.who import Known
from thorp.app.config import ConfigFile, Effective, Sources
from thorp.app.config_desk import ConfigDesk
from thorp.app.environment import HubVariables
from thorp.app.exposure import ExposedMaker, Exposure, ExposureDesk
from thorp.app.keeper import ConfigKeeper
from thorp.app.lan import Lan, LanGround
from thorp.app.listeners import Listeners
from thorp.app.login_desk import LoginDesk
from thorp.app.logs import Logs
from thorp.app.models import Ground, Models, ModelsService, build_models
from thorp.app.node import Node
from thorp.app.paths import Paths
from thorp.app.public_engine import PublicEngineService
from thorp.app.ready import Ready
from thorp.app.services import CapabilityService, StoreService
from thorp.app.settings import Settings
from thorp.app.surroundings import LiveSurroundings
from thorp.base.clock import Clock, Randomness
from thorp.base.fanout import Fanout
from thorp.base.files import DISK, write_atomically
from thorp.bus.dispatch import Bus
from thorp.identity.keys import NodeKey
from thorp.models.neighbours import LanNeighbours
from thorp.models.stages import Reached, unwatched
from thorp.node.capabilities import offers as node_offers
from thorp.node.gauges import MachineGauges
from thorp.node.service import NodeFeature
from thorp.node.types import Busy, Self
from thorp.store.database import Database
from thorp.store.keyfiles import node_key
from thorp.store.node_db import NODE_MIGRATIONS
from thorp.store.shelves import SqliteClaimShelf, SqliteKeyShelf, SqliteSessionShelf
from thorp.web.assets import load_assets
from thorp.web.doors import Doors
from thorp.web.root import web_app
from thorp.wire.capabilities.node import ListenerRow
from thorp.wire.capability import Offer
from thorp.wire.changes import Change

STATIC: Final = Path(web.__file__).parent / "static"  # built into the package


@dataclass(frozen=True, slots=True)
class Tools:
    """What everything is built with."""

    paths: Paths
    clock: Clock
    randomness: Randomness
    logs: Logs
    hub: HubVariables = field(default_factory=HubVariables)
    reached: Reached = unwatched  # who wants to know how far a pull is


@dataclass(frozen=True, slots=True)
class Outside:
    """What the node's own report says of parts that are made after it."""

    rows: Callable[[], tuple[ListenerRow, ...]]
    busy: Callable[[], Busy]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner wants, and where it is written."""

    file: ConfigFile
    sources: Sources
    effective: Effective


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what, on shelves of the node's own database."""

    database: Database
    shelves: tuple[SqliteKeyShelf, SqliteSessionShelf]
    ring: KeyRing
    sessions: SessionBook
    desk: ClaimDesk
    live: LiveCalls


@dataclass(frozen=True, slots=True)
class Ways:
    """By which bytes of models come from others and go to them."""

    lan: Lan
    public: PublicEngineService


@dataclass(frozen=True, slots=True)
class Centre:
    """What nearly every part is wired to."""

    node: Node
    bus: Bus
    changes: Fanout[Change]
    key: NodeKey
    announce: Callable[[Change], None]


def build(tools: Tools, wishes: Wishes) -> Node:
    """A node that has not started yet. Parts that need each other meet through questions asked later."""

    def rows() -> tuple[ListenerRow, ...]:
        return (*listeners.rows(), *exposure.rows(), *lan.rows())

    def busy() -> Busy:
        return Busy(models.transfers.carried, len(lan.present.around.neighbours))

    def later() -> Models:
        return models

    def settings() -> Settings:
        """Those everybody lives by, whatever state the services are in."""
        return keeper.running

    centre, access = build_centre(tools), build_access(tools)
    keeper = ConfigKeeper(wishes.file, wishes.sources, wishes.effective)
    feature = build_feature(tools, centre, access, keeper, Outside(rows, busy))
    gate = build_gate(tools, access, web_app(build_doors(tools, centre, access, feature)), keeper)
    listeners = Listeners(tools.paths, settings().local, lambda: settings().local.hosts, gate)
    maker = ExposedMaker(tools.paths.keys, tools.clock, gate, lambda: settings().local.hosts)
    exposure = Exposure(lambda: settings().local, maker.make, centre.announce)
    public = PublicEngineService(settings, lambda: later().refresh_public(), centre.changes)
    lan = build_lan(tools, centre, settings, later, lambda: public.why)
    models = build_node_models(tools, centre, keeper, Ways(lan, public))
    keeper.consult(tools.logs, listeners, exposure, models, public, lan)
    keeper.check()

    def offers() -> Iterator[Offer]:
        yield from node_offers(feature)
        yield from key_offers(access.ring, access.live, centre.announce)
        yield from session_offers(access.sessions, access.desk, access.live, centre.announce)
        yield from ConfigDesk(keeper, centre.announce).offers()
        yield from ExposureDesk(exposure, keeper, access.ring, centre.announce).offers()
        yield from LoginDesk(access.desk, lambda: listeners.address).offers()
        yield from models.offers
        yield from lan.offers

    def ready() -> Ready:
        code = None if access.desk.claimed() else access.desk.claim_code().text
        return Ready(listeners.address, code, centre.key.node_id, feature.name, os.getpid())

    def close_doors() -> None:
        listeners.stop_accepting()
        exposure.stop_accepting()
        lan.listener.stop_accepting()
        lan.tracker.stop_accepting()

    store, capabilities = StoreService(access.database, access.shelves), CapabilityService(centre.bus, offers)
    services = (store, ModelsService(models), capabilities, *listeners.services(), exposure, *lan.services(), public)
    centre.node.consist_of(services, ready, close_doors)
    return centre.node


def build_centre(tools: Tools) -> Centre:
    changes = Fanout[Change]()

    def announce(change: Change) -> None:
        changes.publish(change)

    bus = Bus(tools.clock, announce)
    key = node_key(DISK, tools.paths.keys, tools.randomness)
    return Centre(Node(bus, changes, tools.clock), bus, changes, key, announce)


def build_lan(
    tools: Tools,
    centre: Centre,
    settings: Callable[[], Settings],
    models: Callable[[], Models],
    beside: Callable[[], str],
) -> Lan:
    return Lan(
        LanGround(
            paths=tools.paths,
            key=centre.key,
            boot=tools.randomness.bytes(8).hex(),
            settings=settings,
            bus=centre.bus,
            changes=centre.changes,
            clock=tools.clock,
            randomness=tools.randomness,
            refresh=lambda: models().refresh(),
            handed=lambda: models().handed(),
            beside=beside,
        )
    )


def build_node_models(tools: Tools, centre: Centre, keeper: ConfigKeeper, ways: Ways) -> Models:
    """`models.dir` is read once: where models lie does not change under a running node."""
    lan = ways.lan

    async def keep_limit(rate: int) -> None:
        await keeper.change({"transfers.limit": rate})

    return build_models(
        Ground(
            paths=tools.paths,
            hub=tools.hub,
            settings=lambda: keeper.running,
            clock=tools.clock,
            randomness=tools.randomness,
            announce=centre.announce,
            keep_limit=keep_limit,
            reached=tools.reached,
            neighbours=LanNeighbours(lan.asking, lan.files),
            engine=lan.engines.engine,
            peers=lan.present.peers,
            public_engine=ways.public.engine,
            lines=lan.lines,
            torrent_at=lan.tracker.address_of,
        )
    )


def build_access(tools: Tools) -> Access:
    database = Database(tools.paths.db, NODE_MIGRATIONS, tools.clock)
    keys, sessions, live = SqliteKeyShelf(database), SqliteSessionShelf(database), LiveCalls(tools.clock)
    return Access(
        database=database,
        shelves=(keys, sessions),
        ring=KeyRing(keys, tools.clock, tools.randomness),
        sessions=SessionBook(sessions, tools.clock),
        desk=ClaimDesk(SqliteClaimShelf(sessions), sessions, live, tools.clock, tools.randomness),
        live=live,
    )


def build_gate(tools: Tools, access: Access, app: ASGIApp, keeper: ConfigKeeper) -> Gate:
    """The gate in front of whatever answers: who is calling, and within which budget."""
    token, token_hash = new_owner_token(tools.randomness)
    write_atomically(DISK, tools.paths.owner_token, token.encode("ascii"))
    known = Known(
        keys=access.ring,
        sessions=access.sessions,
        owner_hash=token_hash,
        open_inference=lambda: keeper.running.local.open_inference,
    )
    return Gate(app, known, RequestBudgets(tools.clock), access.live, tools.randomness)


def build_feature(
    tools: Tools,
    centre: Centre,
    access: Access,
    keeper: ConfigKeeper,
    outside: Outside,
) -> NodeFeature:
    node = centre.node
    around = LiveSurroundings(
        tree=lambda: node.tree,
        bus=centre.bus,
        own_name=lambda: keeper.running.node.shown_name(socket.gethostname()),
        own_state=lambda: node.state,
        open_listeners=outside.rows,
        goings_on=outside.busy,
        is_claimed=access.desk.claimed,
        restart_keys=lambda: keeper.needs_restart,
        last_stop=lambda: access.database.stopped_cleanly,
        stop=node.request_stop,
    )
    me = Self(centre.key.node_id, __version__, tools.clock.wall(), os.getpid())
    return NodeFeature(me, around, MachineGauges(tools.paths.data), tools.clock)


def build_doors(tools: Tools, centre: Centre, access: Access, feature: NodeFeature) -> Doors:
    return Doors(
        node_id=centre.key.node_id,
        version=__version__,
        boot=tools.randomness.bytes(6).hex(),
        bus=centre.bus,
        desk=access.desk,
        changes=centre.changes,
        clock=tools.clock,
        report=feature.report,
        is_ready=lambda: centre.node.is_ready,
        announce=centre.announce,
        assets=load_assets(STATIC),
    )
