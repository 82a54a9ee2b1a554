"""What can be wrong with steering a transfer, and how the error that ended one is kept."""

from typing import Any

from thorp.base.errors import BusyError, ConflictError, ThorpError, TryAgainError
from thorp.models.records import Record


class TransferEndedAlreadyError(ConflictError):
    """A transfer that is over cannot be paused, slowed or resumed."""

    code = "transfers.over"


class InTransferError(ConflictError):
    """A model that is on its way cannot be removed."""

    code = "models.in_transfer"


class TooManyTransfersError(BusyError):
    """As many transfers as one home keeps are not over."""

    code = "transfers.too_many"


class NotHeededError(TryAgainError):
    """The process that carries a transfer did not react."""

    code = "transfers.not_heeded"


def over(record: Record) -> TransferEndedAlreadyError:
    return TransferEndedAlreadyError(f"The transfer {record.id} is {record.state} already.", id=record.id)


def told_of(error: ThorpError) -> dict[str, Any]:
    """An error as a record keeps it; with what its message and its exit code need later."""
    details = {name: value for name, value in error.details.items() if isinstance(value, str | int | float | bool)}
    return {"code": error.code, "message": error.message, "details": {**details, "exit_code": error.exit_code}}
