"""What a node tells when it can be used, and how a child tells its parent."""

import pytest

from thorp.app.ready import Ready, StartFailed, failed_line, parse_line, ready_line
from thorp.base.errors import ConflictError

READY = Ready("http://127.0.0.1:8737", "ABCD2345", "ed25519:x", "kitchen", 4711)


def test_the_code_stands_in_the_fragment() -> None:
    assert READY.url == "http://127.0.0.1:8737/#code=ABCD2345"


def test_a_claimed_node_has_a_plain_address() -> None:
    assert Ready("http://127.0.0.1:8737", None, "ed25519:x", "kitchen", 1).url == "http://127.0.0.1:8737/"


def test_the_parent_hears_what_the_child_says() -> None:
    assert parse_line(ready_line(READY)) == READY
    assert parse_line(failed_line(ConflictError("Taken."))) == StartFailed("conflict", "Taken.", 8)


@pytest.mark.parametrize("line", [b"", b"Traceback\n", b"{}", b"[1]"])
def test_anything_else_is_silence(line: bytes) -> None:
    assert parse_line(line) is None
