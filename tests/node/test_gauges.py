"""Readings of this machine; what cannot be read is unknown."""

from pathlib import Path

from thorp.node.gauges import MachineGauges
from thorp.node.types import Readings


def test_this_machine_has_a_memory_and_a_disk(tmp_path: Path) -> None:
    readings = MachineGauges(tmp_path).read()
    assert readings.resident_bytes is not None
    assert readings.resident_bytes > 1_000_000
    assert readings.disk_total is not None
    assert 0 < (readings.disk_free or 0) <= readings.disk_total


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert MachineGauges(tmp_path / "gone", tmp_path / "gone").read() == Readings(None, None, None)


def test_a_strange_answer_of_the_system_is_unknown(tmp_path: Path) -> None:
    strange = tmp_path / "statm"
    strange.write_text("many pages")
    assert MachineGauges(tmp_path, strange).read().resident_bytes is None
