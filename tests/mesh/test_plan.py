"""When a node speaks, by which way, and what it says of a network that lets nothing through."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from tests.mesh.houses import BARN, ME
from thorp.mesh import plan
from thorp.mesh.index_types import Circle, NicMarks
from thorp.mesh.types import InterfaceHearing, Standing
from thorp.wire.announce import LanKey
from thorp.wire.household import Member, Roster, secret_digest, sign_roster

TWO = Circle({}, 1, {"a": "attic", "b": "barn"})
ONE = Circle({}, 1, {"a": "attic"})
SENT = NicMarks("eth0", "10.0.0.5", sent=1000.0, echo=1000.0)
MOMENTS = some.floats(0, 1e6)


@given(some.integers(0, 15_000))
def test_pauses_are_between_25_and_40_seconds(drawn: int) -> None:
    assert 25.0 <= plan.pause(drawn) <= 40.0


@given(some.integers(0, 10_000))
def test_the_first_packet_goes_out_within_a_second(drawn: int) -> None:
    assert 0.0 <= plan.first_delay(drawn) < 1.0


@given(MOMENTS, MOMENTS, MOMENTS)
def test_changes_are_told_at_most_once_a_second_and_never_later_than_planned(
    planned: float, last: float, wanted: float
) -> None:
    due = plan.due(planned, last, wanted)

    assert due == planned or due >= last + plan.BETWEEN_CHANGES
    assert due <= planned
    assert plan.due(planned, last, None) == planned


def test_a_change_before_the_first_packet_does_not_wait() -> None:
    assert plan.due(planned=10.0, last=None, wanted=9.0) == 9.0


@given(some.integers(0, 2**53 - 2), some.integers(0, 2**53 - 1))
def test_numbers_grow_whatever_the_clock_does(last: int, unix_ms: int) -> None:
    assert plan.next_seq(last, unix_ms) > last
    assert plan.next_seq(last, unix_ms) >= unix_ms


def test_E61_broadcast_is_used_as_long_as_no_member_is_heard_through_the_group() -> None:
    heard = replace(SENT, group=1000.0)

    assert plan.broadcasts(TWO, SENT, 1000.0)
    assert not plan.broadcasts(TWO, heard, 1079.0)
    assert plan.broadcasts(TWO, heard, 1081.0)
    assert not plan.broadcasts(ONE, SENT, 1000.0)


def test_being_heard_through_the_group_needs_no_reason() -> None:
    found = plan.hearing(TWO, [replace(SENT, group=990.0)], ["packet"], 1000.0)

    assert (found.by, found.why) == ("multicast", "")
    assert found.interfaces == (InterfaceHearing("eth0", "10.0.0.5", multicast=True, broadcast=False),)


def test_E61_each_silence_has_its_reason() -> None:
    deaf = NicMarks("eth0", "10.0.0.5", sent=990.0, broadcast=True)

    def why(marks, circle=TWO, by=()):
        found = plan.hearing(circle, marks, by, 1000.0)
        return found.by, found.why

    assert why([]) == ("none", plan.NO_NETWORK)
    assert why([replace(SENT, wide=990.0)]) == ("broadcast", plan.NO_MULTICAST)
    assert why([SENT], by=["call"]) == ("mdns", plan.NEITHER)
    assert why([SENT], circle=ONE) == ("none", plan.ALONE)
    assert why([deaf]) == ("none", plan.NO_ECHO)
    assert why([replace(deaf, error="Network is unreachable")]) == ("none", "sending fails: Network is unreachable")
    assert why([SENT]) == ("none", plan.NOBODY)


def test_E61_nobody_is_blamed_before_anybody_had_time_to_answer() -> None:
    fresh = replace(SENT, since=1000.0)

    def why(now, by=(), marks=(fresh,)):
        return plan.hearing(TWO, marks, by, now).why

    assert why(1004.0) == why(1004.0, by=["call"]) == plan.JUST_BEGUN
    assert (why(1005.0), why(1005.0, by=["call"])) == (plan.NOBODY, plan.NEITHER)
    assert why(1004.0, marks=(fresh, replace(SENT, since=900.0))) == plan.NOBODY
    assert why(1001.0, marks=(replace(fresh, error="no route"),)) == "sending fails: no route"


def test_an_interface_is_not_judged_before_an_echo_had_its_time() -> None:
    just = NicMarks("eth0", "10.0.0.5", sent=999.0)

    [found] = plan.hearing(TWO, [just], (), 1000.0).interfaces
    assert found.multicast is None
    [found] = plan.hearing(TWO, [just], (), 1002.0).interfaces
    assert found.multicast is False


def test_the_secret_before_this_one_is_believed_until_its_time_is_over() -> None:
    before, lan = LanKey(5, bytes(32)), LanKey(6, bytes(range(32)))
    roster = Roster(
        community="ab" * 16,
        founder=ME.node_id,
        version=2,
        epoch=6,
        lan=secret_digest(lan),
        members=(Member(node=ME.node_id, name="attic", since=0),),
        removed=(BARN.node_id,),
    )
    names = {ME.node_id: "attic"}
    standing = Standing(sign_roster(roster, ME), roster, lan, before, 600.0, names)

    assert plan.circle_of(standing, 599.0) == Circle({5: before, 6: lan}, 6, names, (BARN.node_id,))
    assert plan.circle_of(standing, 600.0).keys == {6: lan}
    assert plan.circle_of(replace(standing, before=None), 0.0).keys == {6: lan}
