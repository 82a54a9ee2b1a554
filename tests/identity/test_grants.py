from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.identity.grants import KeyGrant, SessionGrant
from thorp.identity.scopes import Scope

KEY = KeyGrant("k1", "laptop", bytes(32), frozenset({Scope.INFERENCE}), created=100.0)
SESSION = SessionGrant("s1", bytes(32), created=100.0, expires=200.0)
moments = st.floats(0, 1e12)


@pytest.mark.parametrize(
    ("grant", "now", "alive"),
    [
        (KEY, 1e12, True),
        (replace(KEY, expires=200.0), 199.9, True),
        (replace(KEY, expires=200.0), 200.0, False),
        (replace(KEY, revoked=150.0), 160.0, False),
        (replace(KEY, revoked=150.0, expires=200.0), 140.0, False),
        (SESSION, 199.9, True),
        (SESSION, 200.0, False),
        (replace(SESSION, ended=150.0), 160.0, False),
    ],
)
def test_a_grant_lives_until_its_end(grant: KeyGrant | SessionGrant, now: float, alive: bool) -> None:
    assert grant.alive(now) is alive


@given(moments, moments)
def test_what_was_taken_back_stays_dead_whatever_the_clock_says(taken: float, now: float) -> None:
    assert not replace(KEY, revoked=taken).alive(now)
    assert not replace(SESSION, ended=taken).alive(now)
