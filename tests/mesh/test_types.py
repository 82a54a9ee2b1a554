from dataclasses import replace

from thorp.mesh.plan import circle_of
from thorp.testing.mesh import FakeNode, House
from thorp.wire.announce import LanKey


def test_a_secret_is_current_only_when_it_is_the_one_the_roster_names() -> None:
    standing = FakeNode(House(), 1).household.standing

    assert standing.is_current
    assert not replace(standing, lan=LanKey(1, bytes(32))).is_current
    assert not replace(standing, lan=replace(standing.lan, epoch=2)).is_current


def test_a_secret_before_of_the_same_epoch_does_not_take_the_place_of_the_present_one() -> None:
    standing = FakeNode(House(), 1).household.standing
    before = replace(standing, before=LanKey(standing.lan.epoch, bytes(32)), before_until=10.0)

    assert before.keys(0.0) == {1: standing.lan}
    assert circle_of(before, 0.0).keys == {1: standing.lan}
