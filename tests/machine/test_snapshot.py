from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.machine.snapshot import (
    MachineSnapshot,
    Membership,
    least,
    levels_of,
    limit_of,
    membership_of,
    meminfo_of,
    read_snapshot,
    stat_of,
    text_of,
)
from thorp.testing.clock import FakeClock

SHELF = Path(__file__).parent / "captures"
EXPECTED = {
    "hybrid-v1": None,  # what its meminfo says, see below
    "docker-v2": (268_435_456, 268_435_456 - 60_000_000),
    "docker-v1": (4_294_967_296, 4_294_967_296 - 4_000_000),
    "systemd-v2": (8_589_934_592, 0),
    "bare-old": (4_040_704 * 1024, None),
}


def snapshot(folder: Path) -> MachineSnapshot:
    return read_snapshot(FakeClock(monotonic=5.0), folder / "proc", folder / "cgroup")


def test_every_capture_of_the_shelf_is_read() -> None:
    assert {one.name for one in SHELF.iterdir() if one.is_dir()} == set(EXPECTED)


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if expected])
def test_the_smaller_of_machine_and_container_counts(name: str) -> None:
    expected = EXPECTED[name]

    assert expected is not None
    assert snapshot(SHELF / name) == MachineSnapshot(*expected, at=5.0)


def test_a_group_without_limit_has_what_the_machine_has() -> None:
    memory = meminfo_of((SHELF / "hybrid-v1/proc/meminfo").read_text())

    assert snapshot(SHELF / "hybrid-v1") == MachineSnapshot(memory["MemTotal"], memory["MemAvailable"], at=5.0)
    assert memory["MemTotal"] > memory["MemAvailable"] > 1_000_000_000


def test_where_nobody_says_it_is_unknown(tmp_path: Path) -> None:
    assert snapshot(tmp_path) == MachineSnapshot(None, None, at=5.0)


def test_a_limit_counts_even_where_the_machine_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup/memory.max").write_text("1000\n")

    assert snapshot(tmp_path) == MachineSnapshot(1000, None, at=5.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0::/a/b\n", Membership(2, "/a/b")),
        ("4:memory:/x\n0::/\n", Membership(1, "/x")),
        ("0::/\n4:cpu,memory:/x:y\n", Membership(1, "/x:y")),
        ("3:cpu:/x\n", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_memory_belongs_to_the_version_that_names_it(text: str, expected: Membership | None) -> None:
    assert membership_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max\n", None), ("9223372036854771712\n", None), ("4096\n", 4096), ("", None), ("-1\n", None), ("²\n", None)],
)
def test_a_limit_is_a_number_or_none(text: str, expected: int | None) -> None:
    assert limit_of(text) == expected


def test_a_path_never_leads_out_of_the_groups() -> None:
    assert list(levels_of("/../../a/./b")) == [PurePosixPath("a/b"), PurePosixPath("a"), PurePosixPath()]
    assert len(list(levels_of("/x" * 10_000))) == 65


def test_a_line_of_the_statistics_is_found_by_its_whole_name() -> None:
    assert stat_of("total_inactive_file 5\ninactive_file 7\n", "inactive_file") == 7
    assert stat_of("inactive_file x\n", "inactive_file") == 0


def test_the_smallest_known_number_counts() -> None:
    assert least([None, 3, 2]) == 2
    assert least([None]) is None


def test_only_the_start_of_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "endless").write_bytes(b"\xff" * 200_000)

    assert len(text_of(tmp_path / "endless")) == 65_536
    assert text_of(tmp_path) == text_of(tmp_path / "missing") == ""


@given(st.text())
def test_no_text_breaks_a_parser(text: str) -> None:
    meminfo_of(text)
    limit_of(text)
    stat_of(text, "x")
    group = membership_of(text)
    assert group is None or list(levels_of(group.path))
