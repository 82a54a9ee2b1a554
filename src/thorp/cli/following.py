"""A transfer, followed to its end: how far it is, what came of it, and what holds when the person leaves."""

import shlex
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from thorp.base.errors import ConflictError, TryAgainError
from thorp.cli.answered import AnsweredError
from thorp.cli.caller import Caller
from thorp.cli.frame import Frame
from thorp.cli.here import Told

Row = dict[str, Any]


class TransferPausedError(TryAgainError):
    """Somebody paused the transfer that was waited for."""

    code = "cli.transfer_paused"


class TransferCancelledError(ConflictError):
    """Somebody cancelled the transfer that was waited for."""

    code = "cli.transfer_cancelled"


@dataclass(eq=False, slots=True)
class Watch:
    """What is being followed; filled as soon as that is known."""

    transfer_id: str = ""
    ref: str = ""
    here: bool = False


@contextmanager
def may_leave(frame: Frame) -> Generator[Watch]:
    """Ctrl-C while a transfer is followed ends the command, and says what becomes of the transfer."""
    watch = Watch()
    try:
        yield watch
    except KeyboardInterrupt:
        if watch.transfer_id and not frame.options.json:
            frame.output.note(left(watch))
        raise click.Abort from None


def left(watch: Watch) -> str:
    again = f"`thorp pull {shlex.quote(watch.ref)}`"
    if watch.here:
        return f"Stopped; {again} goes on where it was."
    return f"The node goes on with it; `thorp transfers cancel {watch.transfer_id}` ends it, {again} looks on again."


def follow(frame: Frame, caller: Caller, watch: Watch) -> Row:
    """The transfer when it is done. Whatever else became of it is an error."""
    from thorp.cli.progress import progress

    last: Row = {}
    with progress(frame.output, frame.options) as shown:
        for row in caller.follow(watch.transfer_id):
            shown.update(row if frame.options.json else row | {"error": None})
            last = row
    return settled(last, watch)


def settled(row: Row, watch: Watch) -> Row:
    match row.get("state"):
        case "done":
            return row
        case "paused":
            raise TransferPausedError(
                f"{watch.ref} was paused. `thorp transfers resume {watch.transfer_id}` goes on with it.",
                id=watch.transfer_id,
            )
        case "cancelled":
            raise TransferCancelledError(f"{watch.ref} was cancelled; it is not here.", id=watch.transfer_id)
        case _:
            raise AnsweredError(None, row.get("error") or {"code": "cli.answered", "details": {}})


@contextmanager
def working(frame: Frame, doing: str) -> Generator[Told]:
    """Long work on files, seen on a terminal. With --json its answer alone is the data."""
    from thorp.cli.progress import progress

    def told(file: str, done: int, total: int) -> None:
        if not frame.options.json:
            shown.update({"ref": file, "state": doing, "done": done, "total": total})

    with progress(frame.output, frame.options) as shown:
        yield told


def worked(frame: Frame, stream: Iterable[tuple[str, Row]], doing: str) -> Row:
    """The answer of streamed work on files."""
    with working(frame, doing) as told:
        for event, data in stream:
            if event == "done":
                return data
            told(data["file"], data["done"], data["total"])
    raise AnsweredError(None, {})
