"""Puts the household together: roster, announcements, mesh listener, calls, and the swarm that carries its files."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, ParamSpec

from thorp.access.live import LiveCalls
from thorp.app.household_files import HouseholdFiles, SeqFile
from thorp.app.lan_engine import EngineService
from thorp.app.lan_listener import MeshListenerService
from thorp.app.lan_mdns import MdnsService, Scene
from thorp.app.lan_place import SETTLES, Asking, LanFiles, NodePlace, Present
from thorp.app.lan_tracker import House, TrackerService
from thorp.app.library_changes import each_library_change
from thorp.app.own_ports import clashes
from thorp.app.paths import Paths
from thorp.app.settings import Settings
from thorp.base.clock import Clock, Randomness
from thorp.base.errors import IntegrityError, ThorpError
from thorp.base.fanout import Fanout
from thorp.base.service import Life, Service, ServiceSpec
from thorp.base.tasks import working
from thorp.bus.dispatch import Bus
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.announcer import Announcer, Surroundings
from thorp.mesh.calls import Met, Neighbourhood, opener
from thorp.mesh.capabilities import offers
from thorp.mesh.hello import Sessions
from thorp.mesh.household import Household
from thorp.mesh.index import Index
from thorp.mesh.index_types import Circle, Ports, Showing
from thorp.mesh.invites import InviteBook
from thorp.mesh.joining import JoinDesk
from thorp.mesh.lan_desk import LanDesk
from thorp.mesh.lists import Lists
from thorp.mesh.own_library import OwnLibrary
from thorp.mesh.plan import ALONE, OFF, circle_of
from thorp.mesh.ports import Shown
from thorp.mesh.rosters import Rosters
from thorp.mesh.server import Room, mesh_app
from thorp.mesh.threads import CallThreads
from thorp.mesh.types import Around, Turn
from thorp.models.public_swarm import Lines
from thorp.net.mesh_line import Target
from thorp.net.udp import LanSocket
from thorp.node.types import listener_row
from thorp.swarm.torrents import parse_torrent
from thorp.wire.announce import Head
from thorp.wire.capabilities.node import ListenerRow
from thorp.wire.capability import Offer
from thorp.wire.changes import Change

P = ParamSpec("P")
log = logging.getLogger(__name__)
HOUSEHOLD: Final = 12
SHOWING: Final = 33
USUAL_PORT: Final = 7080
LOOK_AGAIN: Final = 20.0  # seconds until the next try to say what this node shows
TWO: Final = 2  # heads in a packet
NOBODY: Final = Circle({}, 0)


@dataclass(frozen=True, slots=True)
class LanGround:
    """What the household stands on."""

    paths: Paths
    key: NodeKey
    boot: str
    settings: Callable[[], Settings]
    bus: Bus
    changes: Fanout[Change]
    clock: Clock
    randomness: Randomness
    refresh: Callable[[], None]  # look again at what the engine hands out; blocks
    handed: Callable[[], frozenset[bytes]]  # what it hands out, by infohash
    beside: Callable[[], str]  # why nothing goes to everybody, though it should; empty: nothing is wrong


class Lan:
    """Everything that meets neighbours. Made before the node starts; nothing runs until its services do."""

    def __init__(self, ground: LanGround) -> None:
        self._ground = ground
        clock, randomness, settings = ground.clock, ground.randomness, ground.settings
        self.invites = InviteBook(ground.key.node_id, clock, randomness)
        self.listener = MeshListenerService(ground.paths.keys, settings, lambda: self._app, self.is_met)
        self.place = NodePlace(settings, lambda: self.listener.port, self._swarm_port)
        self.present = Present()
        self.lines = Lines()
        self.household = Household(ground.key, self.place.name, HouseholdFiles(ground.paths), clock, randomness)
        self.engines = EngineService(self.place, self.present, settings, self.has_company, ground.refresh)
        self.index = Index(
            ground.key.node_id,
            ground.boot,
            circle=self.circle,
            clock=clock,
            changed=self._moved,
            wants_roster=self._wants,
        )
        self.showing = ShowingService(self, ground)
        self.announcer = announcer_of(self, ground)
        self.asking = Asking(ground.bus)
        self.neighbourhood = Neighbourhood(
            ground.key, self.household, self.place, opener(clock), clock=clock, randomness=randomness, met=self._met
        )
        self.neighbourhood.refused = self._refused
        self.threads = CallThreads()
        self.files = LanFiles(self.present, self.neighbourhood)
        self.rosters = Rosters(self.household, self.neighbourhood, USUAL_PORT, self.threads)
        self.live = LiveCalls(clock)
        self.sessions = Sessions(self.household, clock, randomness)
        self.library = OwnLibrary(ground.bus)
        self.tracker = TrackerService(house_of(self, ground))
        self.mdns = mdns_of(self, ground)
        self._app = mesh_app(room_of(self, clock))
        self._desk = desk_of(self, clock)
        self.household.watch(self._turned)
        self.engines.changed = self.listener.changed = self.announcer.poke

    def has_company(self) -> bool:
        return self.household.is_begun and not self.household.is_alone

    def is_met(self) -> bool:
        """Whether another node may have a reason to call: a member, one that was removed just now, an invited one."""
        household = self.household
        if not household.is_begun:
            return False
        in_grace = len(household.standing.keys(self._ground.clock.monotonic())) > 1
        return self.has_company() or in_grace or self.invites.is_waiting(household.community)

    def silent(self) -> str:
        """Why nothing is sent to the network; empty: it is."""
        if not self._ground.settings().lan.enabled:
            return OFF
        if not self.household.is_begun:
            return self.household.trouble
        return ALONE if self.household.is_alone else ""

    def circle(self) -> Circle:
        """Whom to believe now: nobody before the household is known, and while meeting neighbours is turned off."""
        if not self.household.is_begun or not self._ground.settings().lan.enabled:
            return NOBODY
        return circle_of(self.household.standing, self._ground.clock.monotonic())

    def rows(self) -> tuple[ListenerRow, ...]:
        """The doors for other nodes and other clients, while they stand open."""
        doors = {"mesh": self.listener, "tracker": self.tracker}
        return tuple(listener_row(kind, one.address, is_open=True) for kind, one in doors.items() if one.port)

    @property
    def offers(self) -> tuple[Offer, ...]:
        return offers(self._desk)

    def services(self) -> tuple[Service, ...]:
        return (
            HouseholdService(self),
            self.engines,
            self.showing,
            self.listener,
            self.announcer,
            self.rosters,
            self.tracker,
            self.mdns,
        )

    async def apply(self, old: Settings, new: Settings, /) -> None:
        """Follow the settings that may change while the node runs."""
        if not new.lan.enabled:
            for one in self.index.around().neighbours:
                self.index.forget(one.node)
        if followed(old) != followed(new):
            self.listener.poke()
            self.engines.poke(library=True)
            self.showing.poke()
            self.announcer.poke()
            asyncio.get_running_loop().call_soon(self.lines.refresh)  # once they count

    def review(self, old: Settings, new: Settings, /) -> tuple[str, ...]:
        return clashes(old, new)

    def _swarm_port(self) -> int:
        return self.engines.port()

    def _wants(self, address: str, mesh_port: int, node: NodeId | None) -> None:
        self.rosters.wants(address, mesh_port, node)

    def notice(self) -> str:
        """What the owner should know; empty: nothing."""
        return self.rosters.notice or self.listener.why or self.engines.why or self._ground.beside()

    def _moved(self, around: Around) -> None:
        self.present.around = around
        self.engines.admit()
        if around.neighbours:
            self.asking.settled.set()

    def _turned(self, turn: Turn) -> None:
        """The household changed: who left is cut off, who stays hears of it."""
        self.rosters.notice = ""
        for node in turn.gone:
            self.index.forget(node)
        self._moved(self.index.around())
        self.engines.poke()
        self.listener.poke()
        self.showing.poke()
        self.announcer.poke()

    def _met(self, met: Met) -> None:
        self._in_loop(self._met_here, met)

    def _refused(self, node: NodeId, target: Target) -> None:
        """Perhaps we were removed: its answer about the household says so."""
        self._in_loop(self.index.ask_neighbour, node, target.address, target.port)

    def _in_loop(self, does: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        """From the thread that called a neighbour: hand over to the loop."""
        if (loop := self.asking.loop) is not None:
            with suppress(RuntimeError):  # it is closed: the node ends
                loop.call_soon_threadsafe(partial(does, *args, **named))

    def _met_here(self, met: Met) -> None:
        self.index.note_call(
            met.node, met.address, swarm_port=met.swarm_port, mesh_port=met.mesh_port, greeted=met.greeted
        )
        if self.rosters.believes(met.node, met.version):
            self.index.ask_neighbour(met.node, met.address, met.mesh_port)


def announcer_of(lan: Lan, ground: LanGround) -> Announcer:
    clock = ground.clock
    around = Surroundings(
        circle=lan.circle,
        nics=lan.place.nics,
        ports=lambda: Ports(lan.engines.port(), lan.listener.port),
        shown=lambda: lan.showing.shown,
        silent=lan.silent,
        seqs=SeqFile(ground.paths.heard),
    )
    return Announcer(ground.key, lan.index, LanSocket(clock), around, clock=clock, randomness=ground.randomness)


def mdns_of(lan: Lan, ground: LanGround) -> MdnsService:
    service = MdnsService(
        Scene(
            wanted=lambda: ground.settings().lan.enabled and lan.has_company(),
            nics=lambda: lan.present.nics or lan.place.nics(),
            tag=lambda: lan.household.lan.tag,
            ports=lambda: Ports(lan.engines.port(), lan.listener.port),
            addresses=lambda: {one.address for one in lan.index.around().neighbours},
            sighted=lan.index.note_sighting,
        ),
        ground.clock,
        ground.randomness,
    )
    lan.household.watch(lambda _turn: service.poke())
    return service


def room_of(lan: Lan, clock: Clock) -> Room:
    return Room(
        household=lan.household,
        sessions=lan.sessions,
        joining=JoinDesk(lan.household, lan.invites),
        library=lan.library,
        heard=lan.index,
        place=lan.place,
        live=lan.live,
        clock=clock,
        looks=lambda: lan.lines.looks,
    )


def house_of(lan: Lan, ground: LanGround) -> House:
    return House(
        settings=ground.settings,
        admitted=lan.engines.admitted,
        handed=ground.handed,
        swarm_port=lan.engines.port,
        present=lan.present,
        torrent=lan.library.torrent,
        clock=ground.clock,
    )


def desk_of(lan: Lan, clock: Clock) -> LanDesk:
    return LanDesk(
        household=lan.household,
        invites=lan.invites,
        neighbourhood=lan.neighbourhood,
        lists=Lists(lan.neighbourhood, lan.index, clock, lan.threads),
        heard=lan.index,
        voice=lan.announcer,
        place=lan.place,
        clock=clock,
        notice=lan.notice,
        proves=proves,
        open_door=lan.listener.open_up,
        threads=lan.threads,
    )


class HouseholdService:
    """Takes up the household. A node whose household cannot be read goes on alone, and says why."""

    spec = ServiceSpec("household", HOUSEHOLD)

    def __init__(self, lan: Lan) -> None:
        self._lan = lan

    async def run(self, life: Life) -> None:
        loop = self._lan.asking.loop = asyncio.get_running_loop()
        settled = self._lan.asking.settled
        settled.clear()
        self._lan.neighbourhood.over.clear()
        try:
            await self._lan.household.begin()
        finally:
            life.ready()
        if self._lan.household.is_alone or not self._lan.place.settings().lan.enabled:
            settled.set()
        waiting = loop.call_later(SETTLES, settled.set)
        try:
            await life.until_stop()
        finally:
            waiting.cancel()
            settled.set()
            self._lan.neighbourhood.over.set()
            self._lan.threads.close()


class ShowingService:
    """Knows what this node shows to its household, and has it announced when that changes."""

    spec = ServiceSpec("showing", SHOWING)

    def __init__(self, lan: Lan, ground: LanGround) -> None:
        self._lan = lan
        self._changes = ground.changes
        self._wake = asyncio.Event()
        self.shown = Showing()

    def poke(self) -> None:
        self._wake.set()

    async def run(self, life: Life) -> None:
        self.poke()
        watch = each_library_change(self._changes, self._look_again)
        await working(life, "showing", watch=watch, follow=self._follow())

    def _look_again(self) -> None:
        self._lan.engines.poke(library=True)
        self.poke()

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._lan.has_company():
                continue  # nobody is shown anything
            try:
                shown = showing_of(await self._lan.library.shown())
            except ThorpError as error:
                log.warning("what this node shows cannot be said: %s", error.message)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN)
                self._wake.set()
                continue
            if shown != self.shown:
                self.shown = shown
                self._lan.announcer.poke()


def followed(settings: Settings) -> tuple[object, ...]:
    """What the household goes by of the settings."""
    return settings.lan, settings.swarm, settings.sharing, settings.transfers.limit


def showing_of(shown: Shown) -> Showing:
    """What a packet says of it: how many, and the newest."""
    newest = [(model, model.files[0]) for model in shown.models[:TWO]]
    heads = tuple(Head(model.model_id, model.revision, file.infohash, file.sha256, file.size) for model, file in newest)
    return Showing(shown.digest if shown.models else "", len(shown.models), heads)


def proves(content: bytes, infohash: str) -> bool:
    """Whether a torrent is a household one with this infohash."""
    try:
        return parse_torrent(content, expected=bytes.fromhex(infohash)).private
    except IntegrityError:
        return False
