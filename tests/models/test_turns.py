"""Who is asked next."""

import pytest

from thorp.base.errors import NotAllowedError, NotFoundError
from thorp.models.turns import Turns
from thorp.testing.sources import FakeSource


def sources(count: int) -> list[FakeSource]:
    return [FakeSource(b"", detail=str(number)) for number in range(count)]


def test_who_fails_goes_to_the_end_and_the_others_are_asked_at_once() -> None:
    one, two, three = sources(3)
    turns = Turns((one, two, three))

    assert turns.first() is one
    assert turns.failed(one)
    assert turns.failed(one), "a second thread that failed there, too"
    assert turns.first() is two
    assert turns.failed(two)
    assert turns.first() is three
    assert not turns.failed(three), "all have failed: now it is time for a pause"
    assert turns.first() is one


def test_bytes_forgive() -> None:
    one, two = sources(2)
    turns = Turns((one, two))
    turns.failed(one)
    turns.came(two)
    turns.came(one)

    assert turns.gave == {one, two}
    assert turns.failed(two)
    assert not Turns((one,)).failed(one)


def test_who_refuses_is_not_asked_again_and_the_last_one_says_why_there_is_nothing() -> None:
    near, hub = sources(2)
    turns = Turns((near, hub))
    turns.refused(hub, NotAllowedError("gated"))
    assert turns.first() is near
    turns.refused(near, NotFoundError("not here"))
    turns.refused(near, NotFoundError("not here"))
    turns.failed(near)

    with pytest.raises(NotAllowedError):
        turns.first()
