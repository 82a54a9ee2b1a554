"""What this node shows by mDNS and when, and that whom it saw is called again."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from thorp.app.lan_mdns import MOST_SEEN, SEEN_FOR, MdnsService, Scene, Seen
from thorp.mesh.index_types import Ports
from thorp.net.interfaces import Nic
from thorp.net.mdns import NoMdnsError, Sighting
from thorp.testing.clock import FakeClock, FakeRandomness

HERE = "127.0.0.1"
UP, DOWN = Nic("lo", HERE, 8, ""), Nic("lo", "127.0.0.7", 8, "")
SHOWN = f"shown at {HERE}"
ANN = Sighting("a" * 16, ("10.0.0.2",), 7080)


@dataclass(eq=False)
class FakeMdns:
    """Remembers what it showed, and fails when it shall. `crowded`: somebody claims every name."""

    told: list[str] = field(default_factory=list[str])
    fails: bool = False
    crowded: bool = False
    shown: bool = False

    async def update(self, _service: object, nics: tuple[Nic, ...]) -> None:
        self.shown = not self.fails and not self.crowded
        if self.fails:
            self.told.append("failed")
            raise NoMdnsError("the interface is down")
        self.told.append(f"shown at {nics[0].address}" if self.shown else "crowded out")

    async def stop(self) -> None:
        self.told.append("stopped")


class Stage:
    """A service, and everything it asks, in the test's hand."""

    def __init__(self) -> None:
        self.wanted = True
        self.nics = (UP,)
        self.ports = Ports(7081, 7080)
        self.neighbours: set[str] = set()
        self.sighted: list[tuple[Collection[str], int, str]] = []
        self.clock, self.mdns = FakeClock(), FakeMdns()
        scene = Scene(
            wanted=lambda: self.wanted,
            nics=lambda: self.nics,
            tag=lambda: "0" * 16,
            ports=lambda: self.ports,
            addresses=lambda: self.neighbours,
            sighted=lambda *told: self.sighted.append(told),
        )
        self.service = MdnsService(scene, self.clock, FakeRandomness())
        self.service._mdns = self.mdns  # pyright: ignore[reportPrivateUsage]

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            asyncio.run(self.service._look())  # pyright: ignore[reportPrivateUsage]

    def sees(self, sighting: Sighting) -> None:
        self.service._saw(sighting)  # pyright: ignore[reportPrivateUsage]


def test_it_is_shown_once_while_nothing_changes_and_not_at_all_when_nobody_is_there() -> None:
    stage = Stage()
    stage.look(3)
    stage.wanted = False
    stage.look()

    assert stage.mdns.told == [SHOWN, "stopped"]


def test_without_a_door_or_a_network_nothing_is_shown() -> None:
    stage = Stage()
    stage.ports = Ports(7081, 0)
    stage.look()
    stage.ports, stage.nics = Ports(0, 7080), ()
    stage.look()

    assert stage.mdns.told == ["stopped", "stopped"]


def test_E60_after_an_interface_was_down_the_node_shows_itself_again() -> None:
    stage = Stage()
    stage.look()
    stage.nics, stage.mdns.fails = (DOWN,), True
    stage.look()
    assert stage.service.why == "the interface is down"
    stage.nics, stage.mdns.fails = (UP,), False
    stage.look()

    assert stage.service.why == ""
    assert stage.mdns.told == [SHOWN, "failed", SHOWN]


def test_whoever_is_kept_from_its_names_tries_again() -> None:
    stage = Stage()
    stage.mdns.crowded = True
    stage.look(2)
    stage.mdns.crowded = False
    stage.look(2)

    assert stage.mdns.told == ["crowded out", "crowded out", SHOWN]


def test_E61_who_was_seen_once_is_told_of_at_each_look() -> None:
    stage = Stage()
    stage.sees(ANN)
    stage.look(2)

    assert stage.sighted == [(("10.0.0.2",), 7080, "a" * 16)] * 3


def test_what_was_seen_is_forgotten_where_nobody_answers_any_more() -> None:
    clock = FakeClock()
    seen = Seen(clock)
    seen.note(ANN)
    clock.advance(SEEN_FOR - 1)
    assert seen.still({"10.0.0.2"}) == (ANN,)
    clock.advance(SEEN_FOR - 1)
    assert seen.still(()) == (ANN,)
    clock.advance(1)
    assert seen.still(()) == ()


def test_what_was_seen_is_bounded_and_each_place_is_there_once() -> None:
    seen = Seen(FakeClock())
    for number in range(MOST_SEEN + 5):
        seen.note(Sighting("a" * 16, (f"10.0.1.{number}",), 1))
        seen.note(ANN)
    seen.note(Sighting("b" * 16, ANN.addresses, ANN.mesh_port))

    found = seen.still(())
    assert len(found) == MOST_SEEN
    assert [one.tag for one in found if one.addresses == ANN.addresses] == ["b" * 16]
