"""The fakes keep the ports' shape."""

from thorp.node.ports import Gauges, Surroundings
from thorp.testing.surroundings import FakeGauges, FakeSurroundings


def test_the_fakes_can_stand_in() -> None:
    around: Surroundings = FakeSurroundings()
    gauges: Gauges = FakeGauges()
    assert around.name()
    assert gauges.read().disk_free is None
