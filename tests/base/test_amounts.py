import pytest

from thorp.base.amounts import size


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "unknown"), (0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (62_000_000, "62 MB"), (2 * 10**18, "2000 PB")],
)
def test_sizes_are_for_people(count: int | None, text: str) -> None:
    assert size(count) == text
