"""Every error has a word that all nodes share."""

import pytest

from thorp.base.errors import FAMILIES, ThorpError
from thorp.bus.errors import CallTimeoutError, QuarantinedError, SchemaMismatchError
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
    ],
)
def test_an_errors_own_word_comes_before_its_familys(error: ThorpError, fault: Fault) -> None:
    assert fault_of(error) is fault
