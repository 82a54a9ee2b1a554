"""`POST /api/v1/call/{name}`: any capability by its name, answered at once or as a stream."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from pydantic import Field
from starlette.requests import Request

from thorp.base.errors import ThorpError
from thorp.bus.dispatch import Order
from thorp.web.answers import Answer, EventStream, json_answer
from thorp.web.binding import BadParameterError, entered
from thorp.web.callers import principal_of, request_id_of
from thorp.web.doors import Doors
from thorp.web.sse import event
from thorp.web.table import OPEN, RawRoute, Route
from thorp.wire.capability import Capability, Done
from thorp.wire.envelope import error_body
from thorp.wire.model import Message

EVENT_STREAM: Final = "text/event-stream"
MILLISECONDS: Final = re.compile("[1-9][0-9]{0,8}")


class CallEntry(Message):
    """The body of a call. What stands in it is the capability's own matter, and the bus reads it."""

    params: dict[str, object] = Field(default_factory=dict[str, object])
    input: dict[str, object] = Field(default_factory=dict[str, object])


def deadline(header: str | None) -> float | None:
    """Seconds the caller is willing to wait."""
    if header is None:
        return None
    if not MILLISECONDS.fullmatch(header):
        raise BadParameterError("`Thorp-Deadline-Ms` has to be a whole number of milliseconds above 0.")
    return int(header) / 1000


def meta_of(doors: Doors, capability: Capability, began: float) -> dict[str, object]:
    elapsed = round((doors.clock.monotonic() - began) * 1000, 3)
    return {"node": doors.node_id, "capability": capability.id, "ms": elapsed}


async def frames(
    doors: Doors, capability: Capability, items: AsyncGenerator[Message | Done, None], began: float
) -> AsyncGenerator[bytes, None]:
    """The frames of a call as events, ended by exactly one `done` or `error`."""
    try:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Done):
                    output = item.answer.model_dump(mode="json")
                    yield event("done", {"output": output, "meta": meta_of(doors, capability, began)})
                    return
                yield event("frame", item.model_dump(mode="json"))
    except ThorpError as error:
        yield event("error", error_body(error) | {"status": error.status})


def called(request: Request) -> str:
    return request.path_params["name"]


async def call(doors: Doors, request: Request) -> Answer:
    began = doors.clock.monotonic()
    principal = principal_of(request)
    capability = doors.bus.admit(Order(called(request), principal))
    asked = entered(await request.body(), CallEntry)
    seconds = deadline(request.headers.get("thorp-deadline-ms"))
    order = Order(capability.id, principal, asked.input, asked.params, request_id_of(request), seconds)
    if EVENT_STREAM in request.headers.get("accept", ""):
        return EventStream(frames(doors, capability, doors.bus.stream(order), began))
    output = await doors.bus.call(order)
    return json_answer({"output": output.model_dump(mode="json"), "meta": meta_of(doors, capability, began)})


ROUTES: tuple[Route, ...] = (
    RawRoute(
        "POST", "/api/v1/call/{name}", OPEN, "Calls a capability; its own floor decides who may.", call, calls=called
    ),
)
