import asyncio
import threading

import pytest

from thorp.base.errors import NetworkError
from thorp.base.tasks import TaskScope
from thorp.mesh.rosters import (
    AT_ONCE,
    MOST_WAITING,
    PLACES_EACH,
    STRANGERS_AT_ONCE,
    Lead,
    Rosters,
    expected_at,
    next_lead,
)
from thorp.mesh.threads import CallThreads
from thorp.net.mesh_line import Target
from thorp.testing.mesh import FakeNode, House
from thorp.wire.household import HouseholdAnswer


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def founder(house: House) -> FakeNode:
    return FakeNode(house, 1)


@pytest.fixture
def member(house: House, founder: FakeNode) -> FakeNode:
    node = FakeNode(house, 2)
    node.join(founder)
    return node


def rosters_of(node: FakeNode) -> Rosters:
    return Rosters(node.household, node.neighbourhood, 7080, CallThreads())


def asked(node: FakeNode, lead: Lead) -> tuple[bool, str]:
    rosters = rosters_of(node)
    return asyncio.run(rosters.ask(lead)), rosters.notice


def lead_to(node: FakeNode) -> Lead:
    return Lead(node.address, node.place.mesh, node.id)


def test_E67_the_others_fetch_the_new_secret(house: House, founder: FakeNode, member: FakeNode) -> None:
    third = FakeNode(house, 3)
    third.join(founder)
    founder.remove(third)

    assert asked(member, lead_to(founder)) == (True, "")
    assert member.household.lan == founder.household.lan
    assert asked(member, lead_to(founder)) == (False, "")


def test_any_member_hands_it_on(house: House, founder: FakeNode, member: FakeNode) -> None:
    other, third = FakeNode(house, 3), FakeNode(house, 4)
    other.join(founder)
    third.join(founder)
    for node in (member, other):
        asked(node, lead_to(founder))
    founder.remove(third)
    asked(member, lead_to(founder))
    del house.nodes[founder.address]

    assert asked(other, lead_to(member)) == (True, "")
    assert other.household.lan == founder.household.lan


def test_a_member_nobody_told_of_is_believed_for_the_founders_signature(
    house: House, founder: FakeNode, member: FakeNode
) -> None:
    third = FakeNode(house, 3)
    third.join(founder)

    assert not member.household.is_member(third.id)
    assert asked(member, lead_to(third)) == (True, "")
    assert member.household.is_member(third.id)


def test_E57_a_stranger_cannot_change_anything(house: House, member: FakeNode) -> None:
    stranger = FakeNode(house, 3)
    before = member.household.standing

    assert asked(member, lead_to(stranger))[0] is False
    assert member.household.standing == before


def test_E67_a_claim_that_nothing_came_of_is_not_believed_again(founder: FakeNode, member: FakeNode) -> None:
    rosters, now = rosters_of(member), member.household.standing.roster.version

    assert not rosters.believes(founder.id, now)
    assert rosters.believes(founder.id, 2**50)
    assert asyncio.run(rosters.ask(lead_to(founder))) is False
    assert not rosters.believes(founder.id, 2**50)
    assert not rosters.believes(founder.id, now + 1), "nor a smaller one"
    assert rosters.believes(founder.id, 2**50 + 1)


def test_E67_a_claim_of_somebody_who_could_not_be_asked_stands(
    house: House, founder: FakeNode, member: FakeNode
) -> None:
    rosters, there = rosters_of(member), house.nodes.pop(founder.address)

    assert rosters.believes(founder.id, 3)
    assert asyncio.run(rosters.ask(lead_to(founder))) is False
    assert rosters.believes(founder.id, 3)
    house.nodes[founder.address] = there
    FakeNode(house, 3).join(founder)
    assert asyncio.run(rosters.ask(lead_to(founder))) is True
    assert rosters.believes(founder.id, 4)


def test_E67_a_removed_node_says_so_to_its_owner(founder: FakeNode, member: FakeNode) -> None:
    founder.remove(member)
    _, notice = asked(member, lead_to(founder))

    assert "removed" in notice


def test_nobody_asks_itself_and_any_member_may_be_at_an_address() -> None:
    assert expected_at(Lead("10.0.0.1", 1, None), "me", ["me", "ann"]) == {"ann"}
    assert expected_at(Lead("10.0.0.1", 1, "me"), "me", ["me", "ann"]) == frozenset()


def test_leads_are_bounded_and_not_followed_twice(member: FakeNode) -> None:
    rosters = rosters_of(member)
    for number in range(MOST_WAITING + 5):
        rosters.wants(f"10.0.0.{number}", 1, None)
        rosters.wants("10.0.0.1", 1, None)

    assert len(rosters._waiting) == MOST_WAITING


def test_a_lead_with_another_port_takes_the_place_of_the_one_before(member: FakeNode, founder: FakeNode) -> None:
    rosters = rosters_of(member)
    for port in range(1, 100):
        rosters.wants("10.0.0.2", port, founder.id)

    assert list(rosters._waiting.values()) == [Lead("10.0.0.2", 99, founder.id)]


def test_a_member_finds_room_where_strangers_crowd(member: FakeNode, founder: FakeNode) -> None:
    rosters = rosters_of(member)
    for number in range(MOST_WAITING):
        rosters.wants(f"10.0.0.{number}", 1, f"stranger-{number}")
    for number in range(PLACES_EACH + 1):
        rosters.wants(f"10.0.1.{number}", 1, founder.id)

    waiting = list(rosters._waiting.values())
    assert [lead.address for lead in waiting if lead.node == founder.id] == ["10.0.1.1", "10.0.1.2"]
    assert [lead.node for lead in waiting[:MOST_WAITING]] == [f"stranger-{number}" for number in range(MOST_WAITING)]


def test_the_founder_is_asked_first_then_members_then_strangers(
    house: House, member: FakeNode, founder: FakeNode
) -> None:
    third = FakeNode(house, 3)
    third.join(founder)
    roster = founder.household.standing.roster
    leads = [Lead("10.0.0.9", 1, None), Lead("10.0.0.8", 1, "stranger"), lead_to(member), lead_to(third)]
    leads.append(lead_to(founder))
    waiting, order = {(lead.address, lead.node): lead for lead in leads}, []
    while (lead := next_lead(waiting, [], roster)) is not None:
        order.append(lead)
        del waiting[lead.address, lead.node]

    assert order == [leads[4], leads[2], leads[3], leads[0], leads[1]]


def test_strangers_leave_somebody_free_to_ask_a_member(member: FakeNode, founder: FakeNode) -> None:
    roster, lead = founder.household.standing.roster, lead_to(member)
    asked = [Lead(f"10.0.0.{number}", 1, None) for number in range(STRANGERS_AT_ONCE)]
    one_more = Lead("10.0.0.9", 1, None)

    assert next_lead({("10.0.0.9", None): one_more}, asked[1:], roster) == one_more
    assert next_lead({("10.0.0.9", None): one_more}, asked, roster) is None
    assert next_lead({("10.0.0.9", None): one_more, (lead.address, lead.node): lead}, asked, roster) == lead


def test_a_node_is_asked_once_at_a_time(member: FakeNode, founder: FakeNode) -> None:
    lead = lead_to(member)

    assert next_lead({("10.0.0.9", member.id): lead}, [lead], founder.household.standing.roster) is None


class Stuck:
    """Neighbours that do not answer until they are let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.full, self.go = threading.Event(), threading.Event()

    def household(self, target: Target) -> HouseholdAnswer:
        self.asked.append(target.address)
        if len(self.asked) == AT_ONCE:
            self.full.set()
        self.go.wait(5)
        raise NetworkError("Nobody answers.")


def test_the_founder_is_asked_while_strangers_do_not_answer(member: FakeNode, founder: FakeNode) -> None:
    asks = Stuck()
    rosters = Rosters(member.household, asks, 7080, CallThreads())

    async def run() -> list[str]:
        life = OneLife()
        async with TaskScope("test") as scope:
            for number in range(8):
                rosters.wants(f"10.0.0.{number}", 1, None)
            running = scope.start("rosters", rosters.run(life))
            rosters.wants(founder.address, 1, founder.id)
            await asyncio.to_thread(asks.full.wait, 5)
            first = list(asks.asked)
            asks.go.set()
            life.enough.set()
            await running
        return first

    assert sorted(asyncio.run(run())) == sorted(["10.0.0.0", "10.0.0.1", "10.0.0.2", founder.address])


class OneLife:
    """The tree, until the household has changed."""

    def __init__(self) -> None:
        self.began = False
        self.enough = asyncio.Event()

    def ready(self) -> None:
        self.began = True

    async def until_stop(self) -> str:
        async with asyncio.timeout(5):
            await self.enough.wait()
        return "enough"


def test_the_service_follows_leads_until_it_ends(house: House, founder: FakeNode, member: FakeNode) -> None:
    FakeNode(house, 3).join(founder)
    rosters = Rosters(member.household, member.neighbourhood, founder.place.mesh, CallThreads())

    async def run() -> bool:
        life = OneLife()
        member.household.watch(lambda _turn: life.enough.set())
        rosters.wants("127.0.0.99", 1, founder.id)
        rosters.wants(founder.address, 0, None)
        await rosters.run(life)
        return life.began

    assert asyncio.run(run())
    assert len(member.household.members()) == 3
