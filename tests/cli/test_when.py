from datetime import UTC, timedelta, timezone

import pytest

from thorp.cli.when import when

EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-20T10:15:59.999Z", "2026-11-20 15:45"),
        ("2026-11-20T23:00:00.000Z", "2026-11-21 04:30"),
        ("2026-11-20T10:15:00+05:30", "2026-11-20 10:15"),
    ],
)
def test_a_moment_is_shown_in_the_zone_of_the_person(text: str, shown: str) -> None:
    assert when(text, EAST) == shown


@pytest.mark.parametrize("text", ["", "soon", "2026-11-20T10:15:00", "2026-11-20", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_stays_as_it_is(text: str) -> None:
    assert when(text, UTC) == text


def test_no_moment_is_nothing() -> None:
    assert when(None) == ""
