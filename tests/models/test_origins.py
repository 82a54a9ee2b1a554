"""What is drawn of a transfer is what came, and survives being written down."""

from hypothesis import given
from hypothesis import strategies as st

from thorp.models.origins import BEFORE, MISSING, MOST_CELLS, PER_CELL, Origins
from thorp.models.types import SourceKind

KINDS = st.sampled_from([SourceKind.HUB, SourceKind.LAN, SourceKind.SWARM, SourceKind.IMPORT])


def test_a_piece_is_drawn_by_who_sent_most_of_it() -> None:
    origins = Origins(2 * PER_CELL)
    origins.came(SourceKind.LAN, 0, PER_CELL - 1)
    origins.came(SourceKind.HUB, PER_CELL - 1, PER_CELL)
    assert origins.drawn(bytes([1]) * PER_CELL + bytes(PER_CELL)) == "l."


def test_a_piece_in_the_middle_is_missing_and_one_from_before_is_said_so() -> None:
    origins = Origins(PER_CELL + 1)
    assert origins.drawn(bytes([1]) * PER_CELL + b"\0") == BEFORE + MISSING


def test_a_large_file_is_drawn_in_few_cells() -> None:
    count = MOST_CELLS * PER_CELL * 3
    assert len(Origins(count).drawn(bytes(count))) == MOST_CELLS


@given(st.integers(1, 60), st.lists(st.tuples(KINDS, st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_it_comes_back_as_it_was_written(count: int, came: list[tuple[SourceKind, int, int]]) -> None:
    origins, again = Origins(count), Origins(count)
    for kind, first, end in came:
        origins.came(kind, first, end)
    again.restore(origins.spans())
    assert again.letters == origins.letters
    assert len(origins.letters) == count


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=4)))
def test_nonsense_is_passed_over(spans: object) -> None:
    origins = Origins(5)
    origins.restore(spans)
    assert len(origins.letters) == 5
    assert set(origins.letters) <= set(".hlso")


def test_what_would_be_longer_than_the_file_is_passed_over() -> None:
    origins = Origins(3)
    origins.restore([[3, "h"], [1, "l"]])
    assert origins.letters == ["."] * 3


def test_forgetting_leaves_nothing() -> None:
    origins = Origins(3)
    origins.came(SourceKind.HUB, 0, 3)
    origins.forget()
    assert origins.spans() == [[3, MISSING]]
