"""Streams of changes: a snapshot (or what was missed), then every change a watcher wants."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from thorp.base.fanout import Numbered, SourceEndedError, TooSlowError
from thorp.identity.principals import Principal
from thorp.web.doors import Doors
from thorp.web.sse import HEARTBEAT, HEARTBEAT_SECONDS, event
from thorp.wire.changes import Change
from thorp.wire.model import Message

EVENT_ID: Final = re.compile("(?P<boot>.+)-(?P<number>[0-9]{1,18})")


def last_seen(request: Request, boot: str) -> int | None:
    """The number a watcher saw last, if it was of this start."""
    found = EVENT_ID.fullmatch(request.headers.get("last-event-id", ""))
    return int(found["number"]) if found and found["boot"] == boot else None


def change_event(boot: str, numbered: Numbered[Change]) -> bytes:
    change = numbered.item
    return event("change", {"kind": change.kind} | change.model_dump(mode="json"), f"{boot}-{numbered.number}")


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches what."""

    principal: Principal
    wanted: type[Change] = Change

    def sees(self, change: Change) -> bool:
        allowed = self.principal.is_owner or change.scope in self.principal.scopes
        return allowed and isinstance(change, self.wanted)


async def watch(
    doors: Doors, last: int | None, snapshot: Callable[[], Awaitable[Message]], watcher: Watcher
) -> AsyncGenerator[bytes, None]:
    """A snapshot (or what was missed since `last`), then every change that the watcher wants and may see."""
    with doors.changes.listen() as listener:
        missed = doors.changes.since(last) if last is not None else None
        if missed is None:
            snapshot_id = f"{doors.boot}-{doors.changes.last}"
            yield event("snapshot", (await snapshot()).model_dump(mode="json"), snapshot_id)
        for numbered in missed or ():
            if watcher.sees(numbered.item):
                yield change_event(doors.boot, numbered)
        try:
            while True:
                taken = await listener.take(HEARTBEAT_SECONDS)
                events = b"".join(change_event(doors.boot, one) for one in taken if watcher.sees(one.item))
                yield events or HEARTBEAT  # where all else is busy, this one is not taken for dead
        except SourceEndedError:
            return
        except TooSlowError:
            yield event("dropped", {"reason": "this listener did not keep up; connect again for a snapshot"})
