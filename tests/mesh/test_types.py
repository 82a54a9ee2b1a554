from dataclasses import replace

from thorp.testing.mesh import FakeNode, House
from thorp.wire.announce import LanKey


def test_a_secret_is_current_only_when_it_is_the_one_the_roster_names() -> None:
    standing = FakeNode(House(), 1).household.standing

    assert standing.is_current
    assert not replace(standing, lan=LanKey(1, bytes(32))).is_current
    assert not replace(standing, lan=replace(standing.lan, epoch=2)).is_current
