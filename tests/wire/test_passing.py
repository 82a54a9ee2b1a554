"""A request that was passed on is known by its headers."""

import pytest

from thorp.wire.passing import was_passed_on


@pytest.mark.parametrize("name", [b"forwarded", b"via", b"x-real-ip", b"x-forwarded-for", b"x-forwarded-anything"])
def test_one_telling_header_is_enough(name: bytes) -> None:
    assert was_passed_on([b"host", name])


@pytest.mark.parametrize("names", [[], [b"host", b"accept"], [b"forward", b"x-real", b"x-forward"]])
def test_a_direct_request_has_none(names: list[bytes]) -> None:
    assert not was_passed_on(names)
