"""The errors a call can meet on the bus itself. Handlers raise errors of their own, which pass unchanged."""

from thorp.base.errors import (
    BusyError,
    ConflictError,
    DeadlineError,
    InternalError,
    NotAllowedError,
    NotFoundError,
    TryAgainError,
    UnauthenticatedError,
    UsageError,
)


class SchemaMismatchError(UsageError):
    """Input that does not fit the declaration."""

    code = "bus.schema_mismatch"


class NobodyCallsError(UnauthenticatedError):
    """A capability above the reach of somebody unknown."""

    code = "bus.unauthenticated"


class UnauthorizedError(NotAllowedError):
    """A known caller below the capability's floor."""

    code = "bus.unauthorized"


class NoSuchCapabilityError(NotFoundError):
    """Nothing listed here answers to that name and version."""

    code = "bus.not_found"


class TooManyCallsError(BusyError):
    """As many calls run already as the declaration allows."""

    code = "bus.capacity_exceeded"


class CallTimeoutError(DeadlineError):
    """The handler did not finish before the deadline."""

    code = "bus.timeout"


class QuarantinedError(TryAgainError):
    """The handler failed too often and rests for a while."""

    code = "bus.quarantined"


class StoppedError(TryAgainError):
    """The call was ended from outside, with a reason."""

    code = "bus.stopped"


class HandlerFailedError(InternalError):
    """The handler broke or broke its promise. The log has the traceback."""

    code = "bus.internal_error"


class AlreadyOfferedError(ConflictError):
    """Two offers of one capability."""

    code = "bus.already_offered"
