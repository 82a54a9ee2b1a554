import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.errors import ThorpError
from thorp.net.hygiene import (
    METHODS,
    ONLY_ONCE,
    BadMethodError,
    BadVersionError,
    Head,
    MalformedRequestError,
    UpgradeRefusedError,
    check_head,
)

HOST = (b"host", b"localhost")


def head(*headers, method="GET", target=b"/", version="1.1", upgrade=False):
    return Head(method, target, version, headers or (HOST,), upgrade=upgrade)


@pytest.mark.parametrize(
    "good",
    [
        *(head(method=method) for method in sorted(METHODS)),
        head(version="1.0"),
        head(target=b"//x/?a=b"),
        head(HOST, (b"transfer-encoding", b" Chunked ")),
        head(HOST, (b"content-length", b"5"), (b"authorization", b"x")),
        head(HOST, (b"accept", b"a"), (b"accept", b"b")),
    ],
)
def test_ordinary_requests_pass(good):
    check_head(good)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (head(version="0.9"), BadVersionError),
        (head(version="2.0"), BadVersionError),
        (head(upgrade=True), UpgradeRefusedError),
        (head(method="CONNECT", target=b"a:80"), UpgradeRefusedError),
        (head(method="TRACE"), BadMethodError),
        (head(method="get"), BadMethodError),
        (head(target=b"http://a/"), MalformedRequestError),
        (head(target=b"*"), MalformedRequestError),
        (head(target=b""), MalformedRequestError),
        (head(target=b"/#"), MalformedRequestError),
        (head((b"accept", b"a")), MalformedRequestError),
        (head(HOST, (b"transfer-encoding", b"gzip, chunked")), MalformedRequestError),
        (head(HOST, (b"transfer-encoding", b"")), MalformedRequestError),
        (head(HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"1")), MalformedRequestError),
        (head(HOST, (b"transfer-encoding", b"chunked"), version="1.0"), MalformedRequestError),
    ],
)
def test_A10_others_are_refused(bad, expected):
    with pytest.raises(expected):
        check_head(bad)


@pytest.mark.parametrize("name", sorted(ONLY_ONCE))
def test_A10_what_two_readers_could_pick_differently_may_occur_once(name):
    with pytest.raises(MalformedRequestError, match=name.decode()):
        check_head(head(HOST, (name, b"a"), (name, b"a")))


@given(
    st.text(max_size=8),
    st.binary(max_size=20),
    st.lists(st.tuples(st.sampled_from(sorted(ONLY_ONCE)), st.binary(max_size=9)), max_size=4),
)
def test_whatever_passes_names_one_host(method, target, headers):
    with contextlib.suppress(ThorpError):
        check_head(Head(method, target, "1.1", headers))
        assert [name for name, _ in headers].count(b"host") == 1
