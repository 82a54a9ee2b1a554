"""Transfers as others see and steer them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thorp.models.records import Record
from thorp.models.transfers import Transfers
from thorp.wire.capabilities.transfers import (
    LimitAll,
    LimitAnswer,
    LimitOne,
    TransferCancel,
    TransferError,
    TransferId,
    TransferRow,
    TransfersAnswer,
)
from thorp.wire.capability import Call, Nothing
from thorp.wire.envelope import abroad


@dataclass(frozen=True, slots=True)
class TransferDesk:
    transfers: Transfers
    keep_limit: Callable[[int], Awaitable[None]]  # as the setting it is

    async def every(self, _call: Call[Nothing]) -> TransfersAnswer:
        return await asyncio.to_thread(self.report)

    def report(self) -> TransfersAnswer:
        """All of them now."""
        rows = tuple(self.row(one) for one in self.transfers.rows())
        return TransfersAnswer(transfers=rows, limit=self.transfers.limit)

    async def show(self, call: Call[TransferId]) -> TransferRow:
        return self.row(await asyncio.to_thread(self.transfers.row, call.input.id))

    async def pause(self, call: Call[TransferId]) -> TransferRow:
        return self.row(await self.transfers.pause(call.input.id))

    async def resume(self, call: Call[TransferId]) -> TransferRow:
        return self.row(await self.transfers.resume(call.input.id))

    async def cancel(self, call: Call[TransferCancel]) -> TransferRow:
        return self.row(await self.transfers.cancel(call.input.id, keeping=call.input.keep_partial))

    async def limit_one(self, call: Call[LimitOne]) -> TransferRow:
        return self.row(await self.transfers.slow(call.input.id, call.input.rate))

    async def limit_all(self, call: Call[LimitAll]) -> LimitAnswer:
        await self.keep_limit(call.input.rate)
        self.transfers.limit_all(call.input.rate)
        return LimitAnswer(limit=call.input.rate)

    def row(self, record: Record) -> TransferRow:
        return transfer_row(record, here=self.transfers.is_here(record.id))


def transfer_row(record: Record, *, here: bool) -> TransferRow:
    error = record.error
    return TransferRow(
        id=record.id,
        ref=record.ref,
        model_id=record.model_id,
        repo=record.repo,
        revision=record.revision,
        state=record.state.value,
        note=record.note,
        total=record.total,
        done=record.done,
        by_source=dict(record.by_source),
        pieces=record.pieces,
        rate=record.rate,
        eta=record.eta,
        limit=record.limit,
        created=record.created,
        updated=record.updated,
        here=here,
        error=_told(error) if error else None,
    )


def _told(error: Mapping[str, Any]) -> TransferError:
    """As errors are told everywhere: without the folders in which things lie."""
    details = {name: abroad(value) for name, value in error["details"].items()}
    return TransferError.model_validate(
        {"code": error["code"], "message": abroad(error["message"]), "details": details}
    )
