"""What can go wrong with a call, in words every node and every face shares."""

from enum import StrEnum
from typing import Final

from thorp.base.errors import (
    BusyError,
    ConflictError,
    DeadlineError,
    IntegrityError,
    NetworkError,
    NoSpaceError,
    NotAllowedError,
    NotFoundError,
    ThorpError,
    TryAgainError,
    UnauthenticatedError,
    UsageError,
)


class Fault(StrEnum):
    BAD_REQUEST = "bad_request"
    SCHEMA_MISMATCH = "schema_mismatch"
    INVALID_SIGNATURE = "invalid_signature"
    UNAUTHORIZED = "unauthorized"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_FOUND = "not_found"
    NOT_IMPLEMENTED = "not_implemented"
    TIMEOUT = "timeout"
    PARTITION = "partition"
    CAPACITY_EXCEEDED = "capacity_exceeded"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"


BY_WORD: Final = {fault.value: fault for fault in Fault}
FAULT_OF_FAMILY: Final[tuple[tuple[type[ThorpError], Fault], ...]] = (
    (UsageError, Fault.BAD_REQUEST),
    (NotFoundError, Fault.NOT_FOUND),
    (UnauthenticatedError, Fault.UNAUTHORIZED),
    (NotAllowedError, Fault.UNAUTHORIZED),
    (NetworkError, Fault.PARTITION),
    (IntegrityError, Fault.INTERNAL_ERROR),
    (NoSpaceError, Fault.CAPACITY_EXCEEDED),
    (ConflictError, Fault.BAD_REQUEST),
    (BusyError, Fault.CAPACITY_EXCEEDED),
    (TryAgainError, Fault.PARTITION),
    (DeadlineError, Fault.TIMEOUT),
)


def fault_of(error: ThorpError) -> Fault:
    """The shared word for an error: its own, or the one its code ends in, else that of its family."""
    for word in (error.fault, error.code.rpartition(".")[2]):
        if word in BY_WORD:
            return BY_WORD[word]
    for family, fault in FAULT_OF_FAMILY:
        if isinstance(error, family):
            return fault
    return Fault.INTERNAL_ERROR
