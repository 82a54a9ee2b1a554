import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.testing.hub.request import Host, Request, parse_head, read_range, span_of


def test_a_head_is_read() -> None:
    request = parse_head(
        Host.HUB, b"GET /a/b%2Fc?x=1&y[]=2,3&y=4&z=True HTTP/1.1\r\nAuthorization: Bearer t\r\nA: b: c"
    )
    assert (request.method, request.path, request.segments) == ("GET", "/a/b%2Fc", ("a", "b/c"))
    assert (request.one("x"), request.every("y"), request.flag("z"), request.flag("x")) == (
        "1",
        ["2", "3", "4"],
        True,
        True,
    )
    assert (request.number("x", 7), request.number("z", 7)) == (1, 7)
    assert (request.token, request.headers["a"]) == ("t", "b: c")
    assert request.without("a").headers.keys() == {"authorization"}


@pytest.mark.parametrize("head", [b"", b"GET /", b"GET x HTTP/1.1", b"GET / HTTP/2", b"GET / HTTP/1.1\r\nno colon"])
def test_what_is_no_http_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError):
        parse_head(Host.HUB, head)


@pytest.mark.parametrize("header", ["", "Basic abc", "token"])
def test_only_a_bearer_brings_a_token(header: str) -> None:
    assert Request(Host.HUB, "GET", "/", {"authorization": header}).token is None


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=5-", (5, None)),
        ("bytes=-5", (-5, None)),
        ("bytes=-", None),
        ("bytes=9-5", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-9", None),
        ("", None),
    ],
)
def test_a_range_is_read_or_passed_over(text: str, asked: tuple[int, int | None] | None) -> None:
    assert read_range(text) == asked


@given(st.integers(0, 40), st.integers(0, 40) | st.none(), st.integers(0, 30))
def test_a_span_is_what_a_slice_would_be(first: int, last: int | None, length: int) -> None:
    data = bytes(range(length))
    end = None if last is None else last + 1
    span = span_of((first, last), length)
    assert (data[span[0] : span[1]] if span else b"") == data[first:end]


def test_a_tail_and_the_whole() -> None:
    assert span_of((-5, None), 20) == (15, 20)
    assert span_of((-50, None), 20) == (0, 20)
    assert span_of(None, 20) == (0, 20)
    assert span_of((20, None), 20) is None
