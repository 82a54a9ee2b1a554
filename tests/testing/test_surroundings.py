"""A node to look at, without a node."""

from thorp.testing.surroundings import FakeGauges, FakeSurroundings


def test_it_has_something_of_everything_a_report_shows() -> None:
    around = FakeSurroundings()
    assert around.services()
    assert around.listeners()
    assert {listing.listed for listing in around.listings()} == {True, False}
    assert around.needs_restart()
    assert around.stopped_cleanly() is None


def test_some_readings_are_unknown() -> None:
    readings = FakeGauges().read()
    assert readings.resident_bytes
    assert readings.disk_total is None
