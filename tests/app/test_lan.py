"""The household put together: its services on a home of the test, and what they tell each other."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour
from tests.models.swarms import CARD
from thorp.app.environment import Environment
from thorp.app.lan import (
    HouseholdService,
    Lan,
    LanGround,
    followed,
    proves,
    showing_of,
)
from thorp.app.paths import make_folders, paths_of
from thorp.app.settings import Settings
from thorp.app.tree import ServiceTree
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.fanout import Fanout
from thorp.base.files import DISK
from thorp.base.service import Service
from thorp.bus.dispatch import Bus
from thorp.identity.keys import NodeKey
from thorp.mesh.calls import Met
from thorp.mesh.index_types import Showing
from thorp.mesh.ports import Shown
from thorp.mesh.settings import LanSettings
from thorp.models.settings import SharingSettings, TransferSettings
from thorp.net.interfaces import Nic
from thorp.net.mesh_line import NotThisNodeError, Target, open_line
from thorp.net.settings import MeshSettings
from thorp.node.settings import NodeSettings
from thorp.store.keyfiles import node_key
from thorp.swarm.recipes import household_torrent
from thorp.swarm.settings import SwarmSettings
from thorp.wire.capabilities.sharing import MODEL_HEADS, ModelHeads
from thorp.wire.capability import Call, Nothing, Offer
from thorp.wire.changes import Change, LibraryChanged, NodeStopping
from thorp.wire.shared import SharedModel, list_digest

HERE = "127.0.0.1"
PATIENCE = 30.0
OTHER = NodeKey(b"o" * 32)


@dataclass(eq=False)
class World:
    """One node's household, without the node."""

    top: Path
    settings: Settings = field(
        default_factory=lambda: Settings(mesh=MeshSettings(host=HERE, port=0), swarm=SwarmSettings(port=0))
    )
    changes: Fanout[Change] = field(default_factory=Fanout[Change])
    models: tuple[SharedModel, ...] = ()
    refreshed: int = 0
    beside: str = ""

    def __post_init__(self) -> None:
        paths = paths_of(Environment(home=self.top / "home"))
        make_folders(paths)
        self.paths = paths
        self.key = node_key(DISK, paths.keys, SystemRandomness())
        self.bus = Bus(SystemClock(), lambda _change: None)
        self.ground = LanGround(
            paths=paths,
            key=self.key,
            boot="b" * 16,
            settings=lambda: self.settings,
            bus=self.bus,
            changes=self.changes,
            clock=SystemClock(),
            randomness=SystemRandomness(),
            refresh=self._refresh,
            handed=frozenset,
            beside=lambda: self.beside,
        )
        self.lan = Lan(self.ground)

    def _refresh(self) -> None:
        self.refreshed += 1

    async def offer(self) -> None:
        async def heads(_call: Call[Nothing]) -> ModelHeads:
            return ModelHeads(models=self.models, digest=list_digest(self.models))

        await self.bus.register(Offer(MODEL_HEADS, unary=heads))

    @asynccontextmanager
    async def living(self, *services: Service) -> AsyncGenerator[None]:
        household = HouseholdService(self.lan)
        tree = ServiceTree((household, *services), SystemClock(), lambda _branch: None, lambda _why: None)
        await tree.start()
        try:
            yield
        finally:
            await tree.stop("enough")


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# The household


def test_a_node_begins_alone_and_finds_its_household_again(tmp_path: Path) -> None:
    async def story(world: World) -> tuple[bool, str]:
        async with world.living():
            return world.lan.household.is_alone, world.lan.household.community

    alone, community = asyncio.run(story(World(tmp_path)))
    assert alone
    assert asyncio.run(story(World(tmp_path))) == (True, community)


def test_a_household_that_cannot_be_read_does_not_keep_the_node_from_starting(world: World) -> None:
    world.paths.household.parent.mkdir(exist_ok=True)
    world.paths.household.write_bytes(b"no roster")

    async def story() -> None:
        lan = world.lan
        async with world.living(lan.engines, lan.listener, lan.showing):
            assert lan.silent()
            assert (lan.has_company(), lan.is_met(), lan.listener.port) == (False, False, 0)

    asyncio.run(story())


# Who is here


def test_E57_who_leaves_the_household_is_gone_at_once_everywhere(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living():
            await lan.household.add_member(OTHER.node_id, "mia")
            lan.index.note_call(OTHER.node_id, "127.0.0.9", swarm_port=7, mesh_port=8)
            lan.present.nics = (Nic("lo", HERE, 8, "127.255.255.255"),)
            assert lan.present.peers() == (("127.0.0.9", 7),)
            assert lan.engines.admitted() == {"127.0.0.9"}
            await lan.household.remove(OTHER.node_id)
            assert (lan.present.peers(), lan.engines.admitted()) == ((), frozenset())

    asyncio.run(story())


def test_E67_the_only_other_member_is_still_answered_that_it_was_removed(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living(lan.listener):
            await lan.household.add_member(OTHER.node_id, "mia")
            await until(lambda: lan.listener.port)
            await lan.household.remove(OTHER.node_id)
            assert not lan.has_company()
            await lan.listener._look()  # pyright: ignore[reportPrivateUsage]
            assert lan.listener.port

    asyncio.run(story())


def met(version: int) -> Met:
    return Met(OTHER.node_id, "127.0.0.9", 8, 7, version)


def test_a_call_of_a_thread_counts_and_a_newer_roster_is_asked_for(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living():
            await lan.household.add_member(OTHER.node_id, "mia")
            version = lan.household.standing.roster.version
            await asyncio.to_thread(lan._met, met(version))  # pyright: ignore[reportPrivateUsage]
            await until(lambda: lan.index.around().neighbours)
            assert not lan.rosters._waiting  # pyright: ignore[reportPrivateUsage]
            await asyncio.to_thread(lan._met, met(version + 1))  # pyright: ignore[reportPrivateUsage]
            await until(lambda: lan.rosters._waiting)  # pyright: ignore[reportPrivateUsage]

    asyncio.run(story())


def test_a_call_that_ends_after_the_node_is_no_fault(world: World) -> None:
    async def story() -> None:
        async with world.living():
            pass

    world.lan._met(met(1))  # pyright: ignore[reportPrivateUsage]
    asyncio.run(story())
    thread = threading.Thread(target=world.lan._met, args=(met(1),))  # pyright: ignore[reportPrivateUsage]
    thread.start()
    thread.join()
    assert world.lan.index.around().neighbours == ()


# The door


def test_the_door_has_the_nodes_own_key_and_greets(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living(lan.listener):
            assert lan.listener.port == 0, "nobody has a reason to call"
            await lan.household.add_member(OTHER.node_id, "mia")
            lan.listener.poke()
            await until(lambda: lan.listener.port)
            port = lan.place.mesh_port()
            assert (lan.notice(), lan.listener.address) == ("", f"https://{HERE}:{port}")

            def call(expected: NodeKey) -> int:
                target = Target(HERE, port, frozenset({expected.node_id}))
                with closing(open_line(target, clock=SystemClock())) as line:
                    return line.ask("GET", "/mesh/v1/hello", largest=9999, seconds=PATIENCE).status

            assert await asyncio.to_thread(call, world.key) == 200
            with pytest.raises(NotThisNodeError):
                await asyncio.to_thread(call, OTHER)
        assert lan.listener.port == 0

    asyncio.run(story())


def test_a_door_that_cannot_be_opened_is_told_and_the_node_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        first, second = World(tmp_path / "1"), World(tmp_path / "2")
        async with first.living(first.lan.listener):
            await first.lan.listener.open_up()
            await until(lambda: first.lan.listener.port)
            second.settings = replace(second.settings, mesh=MeshSettings(host=HERE, port=first.lan.listener.port))
            service = second.lan.listener
            async with second.living(service):
                await second.lan.household.add_member(OTHER.node_id, "mia")
                service.poke()
                await until(lambda: "mesh.port" in service.why)
                assert (service.port, second.lan.notice()) == (0, service.why)

    asyncio.run(story())


# What is shown


def test_what_the_library_shows_is_followed(tmp_path: Path, world: World) -> None:
    models = a_neighbour(tmp_path, "me").shared.models()

    async def story() -> None:
        lan = world.lan
        await world.offer()
        async with world.living(lan.showing, lan.engines):
            world.models = models
            world.changes.publish(LibraryChanged(what="added", model_ids=()))
            assert (lan.showing.shown, world.refreshed) == (Showing(), 0), "nobody is here to be shown anything"
            await lan.household.add_member(OTHER.node_id, "mia")
            await until(lambda: lan.showing.shown.count and world.refreshed)
            file = models[0].files[0]
            assert [(one.sha256, one.size) for one in lan.showing.shown.heads] == [(file.sha256, file.size)]
            world.models = ()
            world.changes.publish(LibraryChanged(what="removed", model_ids=()))
            await until(lambda: not lan.showing.shown.count)
            before = world.refreshed
            world.changes.publish(NodeStopping(reason="x"))
            world.changes.publish(LibraryChanged(what="added", model_ids=()))
            await until(lambda: world.refreshed > before)

    asyncio.run(story())


def test_a_list_that_cannot_be_had_is_asked_for_at_the_next_change(tmp_path: Path, world: World) -> None:
    world.models = a_neighbour(tmp_path, "me").shared.models()

    async def story() -> None:
        async with world.living(world.lan.showing):
            await world.lan.household.add_member(OTHER.node_id, "mia")
            await asyncio.sleep(0)
            await world.offer()
            world.changes.publish(LibraryChanged(what="added", model_ids=()))
            await until(lambda: world.lan.showing.shown.count)

    asyncio.run(story())


def test_a_packet_names_the_newest_two_and_an_empty_library_has_no_digest(tmp_path: Path) -> None:
    models = a_neighbour(tmp_path, "me").shared.models() * 3
    shown = showing_of(Shown(models, "d" * 64))

    assert (shown.list_digest, shown.count, len(shown.heads)) == ("d" * 64, 3, 2)
    assert showing_of(Shown((), "d" * 64)) == Showing()


# Settings


def test_settings_that_the_household_goes_by_are_followed_and_others_are_not() -> None:
    base = Settings()
    for changes in (
        {"lan": LanSettings(enabled=False)},
        {"swarm": SwarmSettings(upload=5)},
        {"sharing": SharingSettings(household=False)},
        {"transfers": TransferSettings(limit=5)},
    ):
        assert followed(replace(base, **changes)) != followed(base)
    assert followed(replace(base, node=NodeSettings(name="x"), transfers=TransferSettings(ranges=7))) == followed(base)


def test_a_change_that_gives_two_listeners_one_port_is_refused(world: World) -> None:
    assert world.lan.review(Settings(), replace(Settings(), mesh=MeshSettings(port=7081)))
    assert world.lan.review(Settings(), Settings()) == ()


def test_the_owner_sees_that_nothing_goes_to_everybody_and_where_other_clients_are_answered(world: World) -> None:
    async def story() -> None:
        world.beside = "Sharing with everybody: the port is taken."
        world.settings = replace(world.settings, swarm=SwarmSettings(port=0, tracker=True, tracker_port=0))
        assert (world.lan.rows(), world.lan.notice()) == ((), world.beside)
        async with world.living(world.lan.tracker):
            (row,) = world.lan.rows()
            assert (row.kind, row.address) == ("tracker", f"http://{HERE}:{world.lan.tracker.port}")
        assert world.lan.rows() == ()

    asyncio.run(story())


def test_the_engine_ends_and_comes_back_with_the_setting(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living(lan.engines):
            await lan.household.add_member(OTHER.node_id, "mia")
            await until(lan.engines.port)
            for enabled in (False, True):
                before, world.settings = world.settings, replace(world.settings, lan=LanSettings(enabled=enabled))
                await lan.apply(before, world.settings)
                await until(lambda enabled=enabled: bool(lan.engines.port()) is enabled)

    asyncio.run(story())


# Turned off


def test_before_the_household_is_known_and_while_it_is_turned_off_nobody_is_believed(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        assert (lan.circle().is_alone, lan.index.sweep() > 0) == (True, True), "not begun"
        async with world.living():
            await lan.household.add_member(OTHER.node_id, "mia")
            lan.index.note_call(OTHER.node_id, "127.0.0.9", swarm_port=7, mesh_port=8)
            before, world.settings = world.settings, replace(world.settings, lan=LanSettings(enabled=False))
            await lan.apply(before, world.settings)
            lan.index.note_call(OTHER.node_id, "127.0.0.9", swarm_port=7, mesh_port=8)
            assert lan.index.around().neighbours == ()

    asyncio.run(story())


def test_an_invite_of_a_household_this_node_left_keeps_no_door_open(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living():
            lan.invites.make("0" * 32, ("127.0.0.1:1",))
            assert not lan.is_met()
            lan.invites.make(lan.household.community, ("127.0.0.1:1",))
            assert lan.is_met()

    asyncio.run(story())


def test_E67_a_member_that_claims_what_it_does_not_have_is_not_asked_without_end(world: World) -> None:
    async def story() -> None:
        lan = world.lan
        async with world.living():
            await lan.household.add_member(OTHER.node_id, "mia")
            for claim in range(100):
                lan._met_here(met(2**50 + claim))  # pyright: ignore[reportPrivateUsage]
                wanted = lan.rosters._waiting  # pyright: ignore[reportPrivateUsage]
                assert len(wanted) == (claim == 0)
                wanted.clear()

    asyncio.run(story())


# Torrents of neighbours


def test_a_torrent_of_a_neighbour_has_to_be_the_one_that_was_asked_for() -> None:
    sealed = household_torrent("m", 5, b"h" * 20, card=CARD)

    assert proves(sealed.content, sealed.infohash.hex())
    assert not proves(sealed.content, "0" * 40)
    assert not proves(b"nonsense", sealed.infohash.hex())
