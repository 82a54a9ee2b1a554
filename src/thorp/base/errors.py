"""The root of every error Thorp raises on purpose, and its families.

A family fixes the HTTP status and the exit code; a concrete class, written beside the code that raises it,
adds a stable dotted code. A class exists only if somebody catches it or a user must tell it apart.
"""

from collections.abc import Iterator


class ThorpError(Exception):
    """Something Thorp can name. The message says what happened, to what, and what to try."""

    code: str = "thorp.error"
    status: int = 500
    exit_code: int = 1
    fault: str = ""  # the word all nodes share for it (`wire.faults`), where the family's own does not fit

    def __init__(self, message: str, *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = details
        self.retry_after = retry_after


class UsageError(ThorpError):
    """The request itself is wrong and will stay wrong."""

    code = "usage"
    status = 400
    exit_code = 2


class NotFoundError(ThorpError):
    """What was named does not exist here."""

    code = "not_found"
    status = 404
    exit_code = 3


class UnauthenticatedError(ThorpError):
    """Nobody we know is asking."""

    code = "unauthenticated"
    status = 401
    exit_code = 4


class NotAllowedError(ThorpError):
    """We know who asks, and they may not."""

    code = "not_allowed"
    status = 403
    exit_code = 4


class NetworkError(ThorpError):
    """The other side could not be reached or did not answer properly."""

    code = "network"
    status = 502
    exit_code = 5


class IntegrityError(ThorpError):
    """Bytes are not what they claim to be."""

    code = "integrity"
    status = 422
    exit_code = 6


class NoSpaceError(ThorpError):
    """The disk cannot hold it."""

    code = "no_space"
    status = 507
    exit_code = 7


class ConflictError(ThorpError):
    """It contradicts what stands there already."""

    code = "conflict"
    status = 409
    exit_code = 8


class BusyError(ThorpError):
    """Too much at once."""

    code = "busy"
    status = 429
    exit_code = 8


class TryAgainError(ThorpError):
    """Not now; the same request may work later."""

    code = "try_again"
    status = 503
    exit_code = 75


class DeadlineError(ThorpError):
    """It took longer than it was allowed to."""

    code = "deadline"
    status = 408
    exit_code = 75


class InternalError(ThorpError):
    """A fault of ours. The log has the traceback."""

    code = "internal"
    status = 500
    exit_code = 1


FAMILIES: tuple[type[ThorpError], ...] = (
    UsageError,
    NotFoundError,
    UnauthenticatedError,
    NotAllowedError,
    NetworkError,
    IntegrityError,
    NoSpaceError,
    ConflictError,
    BusyError,
    TryAgainError,
    DeadlineError,
    InternalError,
)


def every_error(root: type[ThorpError] = ThorpError) -> Iterator[type[ThorpError]]:
    """All error classes imported so far, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)
