"""How path, query and body become the fields of a capability's request."""

from collections.abc import Mapping
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from thorp.base.errors import UsageError
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import Principal
from thorp.web.answers import json_answer
from thorp.web.sse import ClientGoneError
from thorp.web.table import NounRoute
from thorp.wire.capability import Capability
from thorp.wire.model import Message as Entry
from thorp.wire.model import misfits
from thorp.wire.strictjson import parse_json

E = TypeVar("E", bound=Entry)


class BadParameterError(UsageError):
    """A parameter of the request, or a field of its body, that does not fit."""

    code = "web.bad_parameter"


class NotAnObjectError(UsageError):
    """A body that is JSON but no object."""

    code = "web.not_an_object"


class TooLargeError(UsageError):
    """More bytes than the route takes."""

    code = "web.too_large"
    status = 413


def json_object(body: bytes) -> dict[str, object]:
    """The object in a request body; an empty body is an empty object."""
    if not body:
        return {}
    found = parse_json(body)
    if not isinstance(found, dict):
        raise NotAnObjectError("The body has to be a JSON object.")
    return cast("dict[str, object]", found)


def entered(body: bytes, wanted: type[E]) -> E:
    """What a request body says, or a refusal that names the first field that is wrong."""
    try:
        return wanted.model_validate(json_object(body))
    except ValidationError as error:
        name, problem = misfits(error)[0]
        raise BadParameterError(f"`{name}` {problem}.", parameter=name) from None


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body, refused as soon as it is too large: a crowd of unfinished bodies must not fill the memory."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise TooLargeError(f"The body may have at most {limit} bytes here.", limit=limit)
    return bytes(body)


def read_already(body: bytes) -> Receive:
    """A body that came before, for who asks again."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def text_fields(capability: Capability, given: Mapping[str, str]) -> dict[str, object]:
    """Values that came as text, read as the declared type of their field."""
    fields = {field.alias or name: field for name, field in capability.request.model_fields.items()}
    read: dict[str, object] = {}
    for name, text in given.items():
        if name not in fields:
            raise BadParameterError(f"`{name}` is no parameter here.", parameter=name)
        try:
            read[name] = TypeAdapter[object](fields[name].rebuild_annotation()).validate_python(text, strict=False)
        except ValidationError as error:
            raise BadParameterError(f"`{name}` {misfits(error)[0][1]}.", parameter=name) from None
    return read


async def answer_noun(route: NounRoute, bus: Bus, request: Request, principal: Principal, request_id: str) -> Response:
    """Call the capability of a noun route and answer with its plain output."""
    given = json_object(await request.body())
    given.update(text_fields(route.capability, dict(request.query_params)))
    given.update(text_fields(route.capability, request.path_params))
    output = await bus.call(Order(route.capability.id, principal, given, request_id=request_id))
    return json_answer(output.model_dump(mode="json"), route.status)
