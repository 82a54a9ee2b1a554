"""Every error has a word that all nodes share."""

import pytest

from thorp.access.budgets import RateLimitedError
from thorp.access.keys import ExpiredKeyError, RevokedKeyError
from thorp.base.errors import FAMILIES, ThorpError, every_error
from thorp.bus.errors import CallTimeoutError, QuarantinedError, SchemaMismatchError
from thorp.identity.keys import BadSignatureError
from thorp.wire.faults import Fault, fault_of


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_fault(family: type[ThorpError]) -> None:
    assert isinstance(fault_of(family("x")), Fault)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (SchemaMismatchError("x"), Fault.SCHEMA_MISMATCH),
        (CallTimeoutError("x"), Fault.TIMEOUT),
        (QuarantinedError("x"), Fault.PARTITION),
        (ThorpError("x"), Fault.INTERNAL_ERROR),
        (BadSignatureError("x"), Fault.INVALID_SIGNATURE),
        (RevokedKeyError("x"), Fault.REVOKED),
        (ExpiredKeyError("x"), Fault.EXPIRED),
        (RateLimitedError("x"), Fault.RATE_LIMITED),
    ],
)
def test_an_errors_own_word_comes_before_its_familys(error: ThorpError, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_every_fault_is_the_word_of_some_error_or_of_the_mesh() -> None:
    fault_words = {error.fault for error in every_error() if error.fault}
    assert fault_words <= {fault.value for fault in Fault}
