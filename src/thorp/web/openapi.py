"""The API described as OpenAPI 3.1, made from the route table and the capability declarations alone.

Loaded when somebody asks for it.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, TypeAlias

import orjson
from pydantic import Field, JsonValue, TypeAdapter

from thorp import __version__
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import OPEN, NounRoute, RawRoute
from thorp.wire.capabilities import every_capability
from thorp.wire.capability import Capability
from thorp.wire.faults import Fault
from thorp.wire.model import Message

Json: TypeAlias = dict[str, Any]
IN_PATH: Final = re.compile(r"{(\w+)(?::path)?}")  # `:path` takes slashes, too
REF: Final = "#/components/schemas/{model}"
CALL: Final = "/api/v1/call/{name}"


class ErrorDetail(Message):
    code: str = Field(description="Stable and dotted; the reference lists every one.")
    fault: Fault = Field(description="The word all nodes share for this kind of error.")
    message: str
    details: dict[str, JsonValue]


class Error(Message):
    error: ErrorDetail


class CallMeta(Message):
    node: str
    capability: str
    ms: float


class Schemas:
    """Collects the schemas that the document refers to."""

    def __init__(self) -> None:
        self.found: Json = {}

    def ref(self, message: type[Message]) -> Json:
        schema = TypeAdapter(message).json_schema(ref_template=REF)
        for name, part in (schema.pop("$defs", {}) | {message.__name__: schema}).items():
            if self.found.setdefault(name, part) != part:
                raise ValueError(f"two different messages are called {name}")
        return {"$ref": REF.format(model=message.__name__)}

    def fields(self, message: type[Message]) -> tuple[dict[str, Json], set[str]]:
        schema = TypeAdapter(message).json_schema(ref_template=REF)
        self.found.update(schema.pop("$defs", {}))
        return schema.get("properties", {}), set(schema.get("required", ()))


def json_body(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def responses(status: int, answer: Json, schemas: Schemas) -> Json:
    refused = json_body(schemas.ref(Error)) | {"description": "Refused or failed; the code says why."}
    return {str(status): answer, "4XX": refused, "5XX": refused}


def parameter(name: str, where: str, schema: Json, *, required: bool) -> Json:
    return {"name": name, "in": where, "required": required, "schema": schema}


def noun_operation(route: NounRoute, schemas: Schemas) -> Json:
    fields, required = schemas.fields(route.capability.request)
    in_path = IN_PATH.findall(route.path)
    rest = {name: schema for name, schema in fields.items() if name not in in_path}
    parameters = [parameter(name, "path", fields[name], required=True) for name in in_path]
    operation: Json = {
        "operationId": operation_id(route.method, route.path),
        "summary": route.summary,
        "tags": [route.capability.name.partition(".")[0]],
    }
    if route.method == "GET":
        parameters += [parameter(name, "query", rest[name], required=name in required) for name in rest]
    elif rest:
        schema: Json = {"type": "object", "properties": rest, "additionalProperties": False}
        if needed := sorted(required & set(rest)):
            schema["required"] = needed
        operation["requestBody"] = json_body(schema) | {"required": bool(needed)}
    if parameters:
        operation["parameters"] = parameters
    answer = json_body(schemas.ref(route.capability.answer)) | {"description": "Done."}
    return operation | {"responses": responses(route.status, answer, schemas), "x-floor": str(route.floor)}


def raw_operation(route: RawRoute, schemas: Schemas) -> Json:
    operation: Json = {
        "operationId": operation_id(route.method, route.path),
        "summary": route.summary,
        "parameters": [
            parameter(name, "path", {"type": "string"}, required=True) for name in IN_PATH.findall(route.path)
        ],
        "responses": {"2XX": {"description": "Done."}} | responses(200, {"description": "Done."}, schemas),
        "x-floor": str(route.floor),
    }
    if route.request:
        operation["requestBody"] = json_body(schemas.ref(route.request)) | {"required": True}
    return operation | ({"security": []} if route.floor == OPEN else {})


def call_operation(capability: Capability, schemas: Schemas) -> Json:
    body: Json = {
        "type": "object",
        "properties": {"params": schemas.ref(capability.params), "input": schemas.ref(capability.request)},
        "additionalProperties": False,
    }
    output: Json = {
        "type": "object",
        "properties": {"output": schemas.ref(capability.answer), "meta": schemas.ref(CallMeta)},
        "required": ["output", "meta"],
    }
    content = json_body(output)
    if capability.frames is not None:
        schemas.ref(capability.frames)
        content["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "operationId": f"call_{capability.name.replace('.', '_')}",
        "summary": capability.summary,
        "tags": ["call"],
        "requestBody": json_body(body) | {"required": False},
        "responses": responses(200, content | {"description": "The answer, or a stream of frames."}, schemas),
        "x-capability": capability.id,
        "x-schema-hash": capability.schema_hash(),
        "x-floor": str(capability.scope or "owner"),
    }


def operation_id(method: str, path: str) -> str:
    return method.lower() + "_" + re.sub(r"\W+", "_", path.removeprefix("/api/v1").replace(":path}", "}")).strip("_")


@cache
def written() -> bytes:
    """The description of everything declared, made once: making it takes longer than any other answer."""
    return orjson.dumps(document())


def document(capabilities: Iterable[Capability] | None = None) -> Json:
    """The whole description; of every declared capability unless told otherwise."""
    schemas, paths = Schemas(), dict[str, Json]()
    for route in EVERY_ROUTE:
        if route.path == CALL or (isinstance(route, RawRoute) and route.html):
            continue
        made = noun_operation(route, schemas) if isinstance(route, NounRoute) else raw_operation(route, schemas)
        paths.setdefault(route.path.replace(":path}", "}"), {})[route.method.lower()] = made
    for capability in every_capability() if capabilities is None else capabilities:
        paths[CALL.replace("{name}", capability.name)] = {"post": call_operation(capability, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Thorp", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.found.items())),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }
