"""Floors of routes that are no capability."""

import pytest

from thorp.identity.principals import NOBODY, Principal, keyed, local_process, owner
from thorp.identity.scopes import Scope
from thorp.web.table import ANY_KEY, OPEN, OWNER, BelowFloorError, Floor, NoCredentialError, check_floor

READER = keyed("k1", frozenset({Scope.NODE_READ}))


@pytest.mark.parametrize(
    ("principal", "floor", "refused"),
    [
        (NOBODY, OPEN, None),
        (NOBODY, ANY_KEY, NoCredentialError),
        (NOBODY, Scope.NODE_READ, NoCredentialError),
        (NOBODY, OWNER, NoCredentialError),
        (local_process(), ANY_KEY, NoCredentialError),
        (local_process(), OWNER, NoCredentialError),
        (local_process(), Scope.NODE_READ, NoCredentialError),
        (local_process(), Scope.INFERENCE, None),
        (READER, ANY_KEY, None),
        (READER, Scope.NODE_READ, None),
        (READER, Scope.METRICS, BelowFloorError),
        (READER, OWNER, BelowFloorError),
        (owner(), OWNER, None),
        (owner(), Scope.METRICS, None),
    ],
)
def test_each_floor_lets_in_exactly_whom_it_names(
    principal: Principal, floor: Floor, refused: type[Exception] | None
) -> None:
    if refused is None:
        check_floor(principal, floor, "/x")
        return
    with pytest.raises(refused):
        check_floor(principal, floor, "/x")
