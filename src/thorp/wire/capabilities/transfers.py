"""Models on their way: seen, paused, resumed, cancelled, slowed."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from thorp.identity.scopes import Scope
from thorp.wire.capability import Capability, Example, Idempotent, Nothing
from thorp.wire.model import Message

Rate = Annotated[int, Field(ge=0, le=10**12)]
State = Literal["queued", "resolving", "active", "paused", "verifying", "done", "failed", "cancelled"]


class TransferError(Message):
    code: str
    message: str
    details: dict[str, JsonValue]


class TransferRow(Message):
    id: str = Field(description="26 characters, in the order of their making.")
    ref: str
    model_id: str
    repo: str
    revision: str
    state: State
    note: str = Field(description="What it waits for or does now; empty when the state says enough.")
    total: int
    done: int
    by_source: dict[str, int] = Field(description="Bytes by where they came from.")
    pieces: str = Field(
        description="Of the file on its way, one letter for each piece of 16 MiB, or for several of a large file, by "
        "where it came from: h hub, l neighbours, s public swarm, o here before; a dot is missing yet."
    )
    rate: int = Field(description="Bytes a second just now.")
    eta: float | None = Field(description="Seconds to go; null: unknown.")
    limit: int = Field(description="Bytes a second it may take; 0: no limit of its own.")
    created: str = Field(description="RFC 3339, UTC.")
    updated: str
    here: bool = Field(description="Whether this process carries it; false: another one on this machine does.")
    error: TransferError | None


class TransfersAnswer(Message):
    transfers: tuple[TransferRow, ...] = Field(description="Newest first.")
    limit: int = Field(description="Bytes a second for all together; 0: no limit.")


TRANSFER_LIST = Capability(
    name="transfer.list",
    version="1.0",
    summary="Lists transfers, newest first: those under way and the last hundred that ended.",
    request=Nothing,
    answer=TransfersAnswer,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class TransferId(Message):
    id: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="As `thorp transfers` lists it.")


TRANSFER_SHOW = Capability(
    name="transfer.show",
    version="1.0",
    summary="Shows one transfer.",
    request=TransferId,
    answer=TransferRow,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
)

TRANSFER_PAUSE = Capability(
    name="transfer.pause",
    version="1.0",
    summary="Pauses a transfer; what is here stays.",
    request=TransferId,
    answer=TransferRow,
    scope=Scope.TRANSFERS_WRITE,
    idempotent=Idempotent.YES,
)

TRANSFER_RESUME = Capability(
    name="transfer.resume",
    version="1.0",
    summary="Goes on with a transfer that was paused or failed.",
    request=TransferId,
    answer=TransferRow,
    scope=Scope.TRANSFERS_WRITE,
    idempotent=Idempotent.YES,
)


class TransferCancel(Message):
    id: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="As `thorp transfers` lists it.")
    keep_partial: bool = Field(default=False, description="Keep what is here for another pull.")


TRANSFER_CANCEL = Capability(
    name="transfer.cancel",
    version="1.0",
    summary="Ends a transfer and removes what it has fetched, unless that is to be kept.",
    request=TransferCancel,
    answer=TransferRow,
    scope=Scope.TRANSFERS_WRITE,
    idempotent=Idempotent.YES,
)


class LimitAll(Message):
    rate: Rate = Field(description="Bytes a second for all transfers together; 0: no limit.")


class LimitOne(Message):
    id: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="As `thorp transfers` lists it.")
    rate: Rate = Field(description="Bytes a second for this one; 0: no limit of its own.")


class LimitAnswer(Message):
    limit: int = Field(description="Bytes a second; 0: no limit.")


TRANSFER_LIMIT_ALL = Capability(
    name="transfer.limit_all",
    version="1.0",
    summary="Sets how many bytes a second all transfers together may take, from now on.",
    request=LimitAll,
    answer=LimitAnswer,
    scope=Scope.TRANSFERS_WRITE,
    idempotent=Idempotent.YES,
)

TRANSFER_LIMIT = Capability(
    name="transfer.limit",
    version="1.0",
    summary="Sets how many bytes a second one transfer may take.",
    request=LimitOne,
    answer=TransferRow,
    scope=Scope.TRANSFERS_WRITE,
    idempotent=Idempotent.YES,
)
