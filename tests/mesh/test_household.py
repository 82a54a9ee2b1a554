import asyncio
from dataclasses import replace

import pytest

from thorp.identity.keys import NodeKey
from thorp.mesh.household import (
    FounderStaysError,
    Household,
    HouseholdFullError,
    NoSuchMemberError,
    NotBegunError,
    NotFounderError,
)
from thorp.mesh.types import GRACE_SECONDS, Kept, Turn
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.testing.mesh import FakeShelf
from thorp.wire.announce import LanKey
from thorp.wire.household import MOST_MEMBERS, BadRosterError, secret_digest, sign_roster, verify_roster

KEYS = [NodeKey(bytes([number]) * 32) for number in range(70)]
A, B, C = KEYS[0], KEYS[1], KEYS[2]


def made(key: NodeKey = A, shelf: FakeShelf | None = None, clock: FakeClock | None = None) -> Household:
    household = Household(
        key, lambda: "attic", shelf or FakeShelf(), clock or FakeClock(), FakeRandomness(KEYS.index(key))
    )
    asyncio.run(household.begin())
    return household


def joined(founder: Household, key: NodeKey, **options: object) -> Household:
    """The household of another node that the founder let in."""
    member = made(key, **options)
    asyncio.run(founder.add_member(key.node_id, "cellar"))
    now = founder.standing
    asyncio.run(member.enter(now.signed, now.lan, founder.me, founder.community))
    return member


def carried(founder: Household, member: Household) -> tuple[bool, bool]:
    """What the member takes of what the founder has."""
    now = founder.standing
    return asyncio.run(member.accept_roster(now.signed)), asyncio.run(member.accept_secret(now.lan))


def test_every_node_begins_as_founder_of_a_household_of_one() -> None:
    shelf = FakeShelf()
    household = made(shelf=shelf)

    assert household.is_founder
    assert household.is_alone
    assert household.is_member(A.node_id)
    assert shelf.kept == Kept(household.standing.signed, household.lan)
    assert household.standing.keys(0.0) == {1: household.lan}


def test_before_it_began_it_says_so() -> None:
    with pytest.raises(NotBegunError):
        _ = Household(A, lambda: "attic", FakeShelf(), FakeClock(), FakeRandomness()).lan


def test_it_is_the_same_after_a_restart_and_nothing_is_written() -> None:
    shelf = FakeShelf()
    before = made(shelf=shelf)
    after = made(shelf=shelf)

    assert (after.community, after.lan) == (before.community, before.lan)
    assert shelf.saved == 1


def test_two_nodes_found_two_households() -> None:
    assert made(A).community != made(B).community


def test_a_member_has_the_founders_roster_and_secret() -> None:
    founder = made()
    member = joined(founder, B)

    assert member.standing.signed == founder.standing.signed
    assert member.lan == founder.lan
    assert not member.is_founder
    assert member.name_of(A.node_id) == "attic"


def test_letting_somebody_in_twice_changes_nothing() -> None:
    founder = made()
    joined(founder, B)
    asyncio.run(founder.add_member(B.node_id, "another name"))

    assert founder.standing.roster.version == 2
    assert founder.name_of(B.node_id) == "cellar"


def test_a_household_has_an_end() -> None:
    founder = made()
    for key in KEYS[1:MOST_MEMBERS]:
        asyncio.run(founder.add_member(key.node_id, "x"))

    with pytest.raises(HouseholdFullError):
        asyncio.run(founder.add_member(KEYS[MOST_MEMBERS].node_id, "x"))


def test_only_the_founder_adds_and_removes() -> None:
    member = joined(made(), B)

    with pytest.raises(NotFounderError, match="attic"):
        asyncio.run(member.add_member(C.node_id, "x"))
    with pytest.raises(NotFounderError):
        asyncio.run(member.remove(A.node_id))


def test_the_founder_stays_and_strangers_cannot_be_removed() -> None:
    founder = made()

    with pytest.raises(FounderStaysError):
        asyncio.run(founder.remove(A.node_id))
    with pytest.raises(NoSuchMemberError):
        asyncio.run(founder.remove(B.node_id))


def test_E67_removing_a_member_gives_the_others_a_new_secret() -> None:
    founder = made()
    stays, goes = joined(founder, B), joined(founder, C)
    old = goes.lan
    carried(founder, stays)

    asyncio.run(founder.remove(C.node_id))

    assert not founder.is_member(C.node_id)
    assert founder.standing.roster.removed == (C.node_id,)
    assert founder.lan.epoch == old.epoch + 1
    assert founder.lan.secret != old.secret
    assert carried(founder, stays) == (True, True)
    assert stays.lan == founder.lan
    assert not stays.is_member(C.node_id)


def test_the_secret_before_is_accepted_for_ten_minutes_by_monotonic_time() -> None:
    clock = FakeClock()
    founder = made(clock=clock)
    joined(founder, B)
    old = founder.lan
    asyncio.run(founder.remove(B.node_id))

    assert founder.standing.keys(clock.monotonic()) == {1: old, 2: founder.lan}
    clock.set_wall(0)
    clock.advance(GRACE_SECONDS - 1)
    assert set(founder.standing.keys(clock.monotonic())) == {1, 2}
    clock.advance(1)
    assert founder.standing.keys(clock.monotonic()) == {2: founder.lan}


def test_E67_the_removed_node_begins_anew_when_it_learns_of_it() -> None:
    founder = made()
    goes = joined(founder, B)
    asyncio.run(founder.remove(B.node_id))

    assert asyncio.run(goes.accept_roster(founder.standing.signed))
    assert goes.is_founder
    assert goes.is_alone
    assert goes.community != founder.community


def test_a_removed_node_can_be_let_in_again() -> None:
    founder = made()
    joined(founder, B)
    asyncio.run(founder.remove(B.node_id))
    member = joined(founder, B)

    assert member.lan == founder.lan
    assert founder.standing.roster.removed == ()


def test_anybody_may_carry_a_roster_and_the_newest_wins() -> None:
    founder = made()
    first = joined(founder, B)
    old = founder.standing.signed
    second = joined(founder, C)

    assert asyncio.run(first.accept_roster(second.standing.signed))
    assert first.is_member(C.node_id)
    assert not asyncio.run(second.accept_roster(old))
    assert second.is_member(C.node_id)


def test_E65_a_roster_of_another_founder_is_refused() -> None:
    founder = made()
    member = joined(founder, B)
    roster = founder.standing.roster
    usurped = roster.model_copy(update={"founder": B.node_id, "version": 9})

    for forged in (sign_roster(usurped, B), made(C).standing.signed):
        with pytest.raises(BadRosterError):
            asyncio.run(member.accept_roster(forged))
    with pytest.raises(BadRosterError):
        asyncio.run(member.accept_roster(sign_roster(roster.model_copy(update={"version": 9}), B)))
    assert member.standing.roster == roster


def test_E65_a_newer_roster_with_an_older_secret_is_refused() -> None:
    founder = made()
    member = joined(founder, B)
    asyncio.run(founder.add_member(C.node_id, "x"))
    asyncio.run(founder.remove(C.node_id))
    carried(founder, member)
    back = founder.standing.roster.model_copy(update={"version": 99, "epoch": 1})

    with pytest.raises(BadRosterError):
        asyncio.run(member.accept_roster(sign_roster(back, A)))


def test_a_wrong_secret_is_refused_whoever_hands_it_out() -> None:
    founder = made()
    member = joined(founder, B)
    joined(founder, C)
    asyncio.run(founder.remove(C.node_id))
    asyncio.run(member.accept_roster(founder.standing.signed))
    assert not member.standing.is_current

    with pytest.raises(BadRosterError):
        asyncio.run(member.accept_secret(LanKey(2, bytes(32))))
    assert not asyncio.run(member.accept_secret(LanKey(3, bytes(32))))
    assert asyncio.run(member.accept_secret(founder.lan))
    assert not asyncio.run(member.accept_secret(founder.lan))


def test_entering_needs_the_roster_the_invite_promised() -> None:
    founder, stranger = made(A), made(C)
    member = made(B)
    before = member.standing
    asyncio.run(founder.add_member(B.node_id, "cellar"))
    now = founder.standing

    for signed, lan, node, community in (
        (now.signed, now.lan, C.node_id, founder.community),
        (now.signed, now.lan, A.node_id, stranger.community),
        (stranger.standing.signed, stranger.lan, C.node_id, stranger.community),
        (now.signed, LanKey(1, bytes(32)), A.node_id, founder.community),
    ):
        with pytest.raises(BadRosterError):
            asyncio.run(member.enter(signed, lan, node, community))
    assert member.standing == before


def test_what_could_not_be_kept_is_not_in_force() -> None:
    shelf = FakeShelf()
    founder = made(shelf=shelf)
    joined(founder, B)
    shelf.broken = True

    with pytest.raises(OSError, match="full"):
        asyncio.run(founder.remove(B.node_id))
    assert founder.is_member(B.node_id)


def test_a_founder_whose_secret_and_roster_differ_after_a_crash_makes_both_anew() -> None:
    shelf = FakeShelf()
    founder = made(shelf=shelf)
    joined(founder, B)
    old = founder.lan
    asyncio.run(founder.remove(B.node_id))
    shelf.kept = Kept(founder.standing.signed, old)  # the roster was written, the secret was not

    after = made(shelf=shelf)
    assert after.lan.epoch == 3
    assert after.standing.is_current
    assert not after.is_member(B.node_id)
    assert verify_roster(shelf.kept.signed).lan == secret_digest(after.lan)


def test_a_member_whose_secret_is_behind_keeps_both_and_knows_it() -> None:
    founder, shelf = made(), FakeShelf()
    member = joined(founder, B, shelf=shelf)
    shelf.kept = replace(shelf.kept, lan=LanKey(1, bytes(32)))

    after = made(B, shelf=shelf)
    assert not after.standing.is_current
    assert asyncio.run(after.accept_secret(founder.lan))
    assert after.lan == member.lan


def test_a_household_of_somebody_else_is_not_taken_up() -> None:
    shelf = FakeShelf()
    made(A, shelf)

    with pytest.raises(BadRosterError):
        made(B, shelf)


def test_watchers_learn_who_is_gone_after_it_is_on_disk() -> None:
    shelf, turns = FakeShelf(), list[tuple[Turn, int]]()
    founder = made(shelf=shelf)
    joined(founder, B)
    founder.watch(lambda turn: turns.append((turn, shelf.saved)))
    asyncio.run(founder.remove(B.node_id))

    [(turn, saved)] = turns
    assert (turn.gone, turn.members, turn.epoch) == ({B.node_id}, {A.node_id}, 2)
    assert saved == shelf.saved


def test_an_id_means_its_node_whatever_the_others_call_themselves() -> None:
    founder = made()
    asyncio.run(founder.add_member(B.node_id, C.node_id))
    asyncio.run(founder.add_member(C.node_id, B.node_id.removeprefix("ed25519:")))

    for key in (B, C):
        assert founder.find(key.node_id).node == key.node_id
        assert founder.find(key.node_id.removeprefix("ed25519:")).node == key.node_id


def test_a_member_is_found_by_name_id_or_the_beginning_of_it() -> None:
    founder = made()
    asyncio.run(founder.add_member(B.node_id, "cellar"))
    asyncio.run(founder.add_member(C.node_id, "cellar"))

    assert founder.find("attic").node == A.node_id
    assert founder.find(B.node_id).node == B.node_id
    assert founder.find(B.node_id.removeprefix("ed25519:")[:8]).node == B.node_id
    with pytest.raises(NoSuchMemberError, match="several"):
        founder.find("cellar")
    for word in ("nobody", B.node_id.removeprefix("ed25519:")[:3]):
        with pytest.raises(NoSuchMemberError):
            founder.find(word)
