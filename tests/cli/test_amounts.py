import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.cli.amounts import BadAgeError, BadRateError, age_of, rate, rate_of, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"), (86_405, "1 d 5 s")],
)
def test_spans_are_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B/s"),
        (999, "999 B/s"),
        (12_345_678, "12.3 MB/s"),
        (1500.0, "1.5 KB/s"),
        (999_999, "1.0 MB/s"),
        (120_000_000, "120.0 MB/s"),
    ],
)
def test_rates_are_for_people(count: float, text: str) -> None:
    assert rate(count) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("500k", 500_000),
        ("500", 500),
        ("10M", 10_000_000),
        ("10m", 10_000_000),
        ("1.5MB/s", 1_500_000),
        (" 1.5 MB/s ", 1_500_000),
        ("8MiB", 8 * 1024**2),
        ("8Mi", 8 * 1024**2),
        ("1GiB/s", 1024**3),
        ("2 KB/s", 2000),
        ("10B/s", 10),
        ("0", 0),
        ("none", 0),
        ("None", 0),
    ],
)
def test_a_limit_is_read_as_it_is_meant(text: str, count: int) -> None:
    assert rate_of(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "-5M",
        "10Mbit",
        "10Mbps",
        "1e6",
        "1,5M",
        ".5M",
        "i",
        "5i",
        "10M/min",
        "\u0665M",
        "1" * 16,
        "nan",
        "5 5",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(BadRateError, match="is no rate"):
        rate_of(text)


@pytest.mark.parametrize("text", ["0.4", "0.0", "0k", "999999T"])
def test_a_rate_that_rounds_to_nothing_is_not_taken_for_no_limit(text: str) -> None:
    with pytest.raises(BadRateError, match="out of range"):
        rate_of(text)


@given(st.integers(min_value=1, max_value=10**8), st.sampled_from(["", "k", "K", "M", "MB", "MB/s"]))
def test_a_larger_number_is_a_higher_limit(count: int, unit: str) -> None:
    assert rate_of(f"{count + 1}{unit}") > rate_of(f"{count}{unit}") >= count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("12h", 43_200), ("90min", 5_400), ("2w", 1_209_600), ("0s", 0), (" 1 d ", 86_400)],
)
def test_an_age_is_read_as_it_is_meant(text: str, seconds: int) -> None:
    assert age_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "3m", "d", "-1d", "1.5d", "1y", "1d1h", "\u0663d", "1" * 10 + "d"])
def test_an_age_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(BadAgeError, match="such as `30d`"):
        age_of(text)
