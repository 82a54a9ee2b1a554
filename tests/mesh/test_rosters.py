import asyncio

import pytest

from thorp.mesh.rosters import MOST_WAITING, Lead, Rosters, expected_at
from thorp.testing.mesh import FakeNode, House


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
    return Rosters(node.household, node.neighbourhood, 7080)


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
    rosters = Rosters(member.household, member.neighbourhood, founder.place.mesh)

    async def run() -> bool:
        life = OneLife()
        member.household.watch(lambda _turn: life.enough.set())
        rosters.wants("127.0.0.99", 1, founder.id)
        rosters.wants(founder.address, 0, None)
        await rosters.run(life)
        return life.began

    assert asyncio.run(run())
    assert len(member.household.members()) == 3
