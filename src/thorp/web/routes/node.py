"""The node feature over REST, and the stream of its changes."""

import re
from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import Request

from thorp.base.fanout import Numbered, SourceEndedError, TooSlowError
from thorp.identity.scopes import Scope
from thorp.web.answers import EventStream
from thorp.web.doors import Doors
from thorp.web.sse import HEARTBEAT, HEARTBEAT_SECONDS, event
from thorp.web.table import NounRoute, RawRoute, Route
from thorp.wire.capabilities.node import NODE_CAPABILITIES, NODE_INFO, NODE_STATUS, NODE_STOP
from thorp.wire.changes import Change

EVENT_ID: Final = re.compile("(?P<boot>.+)-(?P<number>[0-9]{1,18})")


def last_seen(header: str | None, boot: str) -> int | None:
    """The number a watcher saw last, if it was of this start."""
    found = EVENT_ID.fullmatch(header or "")
    return int(found["number"]) if found and found["boot"] == boot else None


def change_event(boot: str, numbered: Numbered[Change]) -> bytes:
    change = numbered.item
    return event("change", {"kind": change.kind} | change.model_dump(mode="json"), f"{boot}-{numbered.number}")


async def watch(doors: Doors, last: int | None) -> AsyncGenerator[bytes, None]:
    """A snapshot (or what was missed since `last`), then every change."""
    with doors.changes.listen() as listener:
        missed = doors.changes.since(last) if last is not None else None
        if missed is None:
            snapshot_id = f"{doors.boot}-{doors.changes.last}"
            yield event("snapshot", doors.report().model_dump(mode="json"), snapshot_id)
        for numbered in missed or ():
            yield change_event(doors.boot, numbered)
        try:
            while True:
                taken = await listener.take(HEARTBEAT_SECONDS)
                yield b"".join(change_event(doors.boot, one) for one in taken) or HEARTBEAT
        except SourceEndedError:
            return
        except TooSlowError:
            yield event("dropped", {"reason": "this listener did not keep up; connect again for a snapshot"})


async def stream(doors: Doors, request: Request) -> EventStream:
    last = last_seen(request.headers.get("last-event-id"), doors.boot)
    return EventStream(watch(doors, last))


ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/node", NODE_INFO),
    NounRoute("GET", "/api/v1/status", NODE_STATUS),
    NounRoute("GET", "/api/v1/capabilities", NODE_CAPABILITIES),
    NounRoute("POST", "/api/v1/admin/shutdown", NODE_STOP),
    RawRoute("GET", "/api/v1/stream", Scope.NODE_READ, "A snapshot of the status, then every change (SSE).", stream),
)
