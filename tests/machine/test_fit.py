import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.machine.fit import Fit, fit, needed_for
from thorp.machine.snapshot import MachineSnapshot

GB = 10**9
SIZES = st.integers(min_value=0, max_value=10**15)
ORDER = (Fit.FITS, Fit.TIGHT, Fit.TOO_BIG)


def having(total: int | None) -> MachineSnapshot:
    return MachineSnapshot(ram_total=total, ram_available=None, at=0.0)


@pytest.mark.parametrize(
    ("size", "total", "expected"),
    [
        (5 * GB, 8 * GB, Fit.FITS),  # needs 6.0 of 6.0
        (5 * GB + 10, 8 * GB, Fit.TIGHT),
        (6 * GB, 8 * GB, Fit.TIGHT),  # needs 7.1 of 7.6
        (7 * GB, 8 * GB, Fit.TOO_BIG),  # needs 8.2
        (0, GB, Fit.FITS),
        (0, 500_000_000, Fit.TOO_BIG),
        (0, 0, Fit.TOO_BIG),
    ],
)
def test_the_size_of_a_model_decides(size: int, total: int, expected: Fit) -> None:
    assert fit(size, having(total)) is expected


def test_without_knowing_the_memory_there_is_no_badge() -> None:
    assert fit(GB, having(None)) is None


def test_what_is_free_by_chance_does_not_matter() -> None:
    assert fit(GB, MachineSnapshot(ram_total=16 * GB, ram_available=1, at=0.0)) is Fit.FITS


def test_the_badges_are_words() -> None:
    assert [str(one) for one in ORDER] == ["fits", "tight", "too big"]


@given(SIZES, SIZES, SIZES)
def test_a_larger_model_never_fits_better(size: int, more: int, total: int) -> None:
    smaller, larger = fit(size, having(total)), fit(size + more, having(total))

    assert smaller is not None
    assert larger is not None
    assert ORDER.index(smaller) <= ORDER.index(larger)
    assert needed_for(size) > size
