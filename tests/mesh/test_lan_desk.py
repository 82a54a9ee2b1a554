import asyncio
import base64
from typing import Any

import pytest

from thorp.base.errors import ThorpError
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import Principal, keyed, member_node, owner
from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.mesh.capabilities import offers
from thorp.mesh.household import FounderStaysError, NoSuchMemberError, NotFounderError
from thorp.mesh.lan_desk import AlreadyInError, HasMembersError, LanDesk, NobodyHasItError, NotReachableError
from thorp.mesh.lists import Lists
from thorp.mesh.threads import CallThreads
from thorp.mesh.types import Hearing, InterfaceHearing, Neighbour
from thorp.testing.mesh import FakeNode, FakeVoice, House
from thorp.wire.invites import BadLinkError
from thorp.wire.shared import SharedFile, SharedModel

TORRENT = b"d4:infoe"
MODEL = SharedModel(
    model_id="m:1b:base:q4_0",
    repo="org/m",
    revision="a" * 40,
    version="main",
    artifact="m",
    format="gguf",
    size_bytes=1,
    added="2026-11-21T09:00:00Z",
    files=(SharedFile(path="m.gguf", size=1, sha256="b" * 64, blob="b" * 64, infohash="c" * 40),),
)


class Desk:
    """One node, asked over its bus."""

    def __init__(self, house: House, number: int) -> None:
        self.node = FakeNode(house, number)
        self.voice = FakeVoice()
        self.opened = 0  # how often the door for others was asked to be open
        node, threads = self.node, CallThreads()
        self.desk = LanDesk(
            node.household,
            node.invites,
            node.neighbourhood,
            Lists(node.neighbourhood, node.heard, node.clock, threads),
            node.heard,
            self.voice,
            node.place,
            node.clock,
            lambda: "a notice",
            lambda content, infohash: content == TORRENT and infohash == "c" * 40,
            self.open_door,
            threads,
        )

    async def open_door(self) -> None:
        self.opened += 1

    def ask(self, what: str, principal: Principal | None = None, **asked: object) -> Any:
        async def run() -> object:
            bus = Bus(self.node.clock, lambda _change: None)
            for offer in offers(self.desk):
                await bus.register(offer)
            return await bus.call(Order(f"lan.{what}", principal or owner(), asked))

        return asyncio.run(run())

    def sees(self, *others: "Desk") -> None:
        self.node.heard.neighbours = tuple(
            Neighbour(
                one.node.id,
                one.node.place.name(),
                one.node.address,
                one.node.place.swarm,
                one.node.place.mesh,
                "",
                0,
                (),
                self.node.clock.monotonic() - 5,
                "packet",
            )
            for one in others
        )


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def founder(house: House) -> Desk:
    return Desk(house, 1)


@pytest.fixture
def other(house: House) -> Desk:
    return Desk(house, 2)


def test_invite_and_join_as_a_person_does_it(founder: Desk, other: Desk) -> None:
    invite = founder.ask("invite")
    joined = other.ask("join", link=invite.link)

    assert invite.link.startswith("thorp:join/1/")
    assert invite.expires == "2023-11-15T22:13:20.000Z"
    assert (joined.community, joined.founder_name, joined.members, joined.left) == (
        invite.community,
        "node-1",
        2,
        None,
    )
    assert [(row.name, row.founder, row.this) for row in other.ask("peers").peers] == [
        ("node-1", True, False),
        ("node-2", False, True),
    ]


def test_who_is_not_the_founder_makes_no_invites_and_removes_nobody(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)

    with pytest.raises(NotFounderError, match="node-1"):
        other.ask("invite")
    with pytest.raises(NotFounderError):
        other.ask("remove", node="node-1")


@pytest.mark.parametrize(("ports", "addresses"), [(0, ("10.0.0.1",)), (7001, ())])
def test_no_invite_is_made_that_nobody_could_use(founder: Desk, ports: int, addresses: tuple[str, ...]) -> None:
    founder.node.place.mesh, founder.node.place.at = ports, addresses

    with pytest.raises(NotReachableError):
        founder.ask("invite")


def test_a_household_with_others_is_left_only_on_an_explicit_word(house: House, founder: Desk, other: Desk) -> None:
    third = Desk(house, 3)
    other.ask("join", link=founder.ask("invite").link)
    link = third.ask("invite").link

    for desk in (founder, other):
        with pytest.raises(HasMembersError):
            desk.ask("join", link=link)
    left = other.node.household.community
    assert other.ask("join", link=link, yes=True).left == left
    assert other.node.household.is_member(third.node.id)


def test_nobody_joins_its_own_household(founder: Desk, other: Desk) -> None:
    link = founder.ask("invite").link
    other.ask("join", link=link)

    with pytest.raises(AlreadyInError):
        founder.ask("join", link=link)
    assert founder.opened == 1


def test_who_was_removed_and_does_not_know_it_comes_back_by_a_new_invite(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)
    founder.ask("remove", node="node-2")
    assert other.node.household.standing.roster.epoch == 1

    answer = other.ask("join", link=founder.ask("invite").link)
    assert (answer.members, answer.left) == (2, None)
    assert founder.node.household.is_member(other.node.id)
    assert other.node.household.standing.roster == founder.node.household.standing.roster


def test_56_a_link_that_is_none_changes_nothing(founder: Desk, other: Desk) -> None:
    before = other.node.household.standing
    with pytest.raises(BadLinkError):
        other.ask("join", link=founder.ask("invite").link[:-3])
    assert other.node.household.standing == before


def test_removing_by_name(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)
    gone = founder.ask("remove", node="node-2")

    assert (gone.node, gone.epoch) == (other.node.id, 2)
    with pytest.raises(NoSuchMemberError):
        founder.ask("remove", node="node-2")
    with pytest.raises(FounderStaysError):
        founder.ask("remove", node="node-1")


def test_the_status_says_how_everybody_is_heard(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)
    founder.sees(other)
    founder.node.heard.counted["seal"] = 3
    interface = InterfaceHearing("eth0", "10.0.0.1", multicast=False, broadcast=True, why="nothing comes back")
    founder.voice.told = Hearing("broadcast", "multicast is not heard", (interface,))
    status = founder.ask("status")

    assert (status.heard.by, status.heard.why) == ("broadcast", "multicast is not heard")
    assert status.interfaces[0].model_dump() == {
        "name": "eth0",
        "address": "10.0.0.1",
        "multicast": False,
        "broadcast": True,
        "why": "nothing comes back",
    }
    assert (status.refused, status.notice) == ({"seal": 3}, "a notice")
    assert (status.household.members, status.household.founded_here, status.household.has_secret) == (2, True, True)
    [row] = status.neighbours
    assert (row.node, row.address, row.heard_s, row.models, row.by) == (
        other.node.id,
        other.node.address,
        5.0,
        None,
        "packet",
    )


def test_a_member_that_is_away_is_listed_as_away(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)
    [_, row] = founder.ask("peers").peers

    assert (row.here, row.address, row.heard_s) == (False, None, None)


def test_the_lists_and_torrents_of_neighbours(house: House, founder: Desk, other: Desk) -> None:
    liar = Desk(house, 3)
    for desk, torrent in ((liar, b"de"), (other, TORRENT)):
        desk.ask("join", link=founder.ask("invite").link)
        desk.node.library.models, desk.node.library.torrents["c" * 40] = (MODEL,), torrent
    founder.sees(liar, other)

    assert [(one.name, one.models) for one in founder.ask("heads").neighbours] == [
        ("node-3", (MODEL,)),
        ("node-2", (MODEL,)),
    ]
    found = founder.ask("torrent", infohash="c" * 40)
    assert (base64.b64decode(found.content), found.node) == (TORRENT, other.node.id)


def test_a_torrent_nobody_has_says_so(founder: Desk, other: Desk) -> None:
    other.ask("join", link=founder.ask("invite").link)
    other.node.library.models = (MODEL,)
    founder.sees(other)

    for infohash in ("c" * 40, "d" * 40):
        with pytest.raises(NobodyHasItError):
            founder.ask("torrent", infohash=infohash)


@pytest.mark.parametrize("what", ["invite", "join", "remove", "heads", "torrent"])
@pytest.mark.parametrize(
    "principal", [keyed("k1", frozenset(Scope)), member_node("n", Trust.ANCHOR)], ids=lambda one: one.kind
)
def test_no_key_and_no_other_node_reaches_what_is_the_owners(founder: Desk, what: str, principal: Principal) -> None:
    with pytest.raises(ThorpError) as refused:
        founder.ask(what, principal, link="x", node="x", infohash="c" * 40)
    assert refused.value.status == 403


def test_a_key_that_may_look_sees_the_household(founder: Desk) -> None:
    looks = keyed("k1", frozenset({Scope.MESH_READ}))

    assert founder.ask("status", looks).node == founder.node.id
    assert founder.ask("peers", looks).peers
