"""The fields of a message as a table, read from its JSON Schema; nothing is described twice."""

import json
from typing import Any

from pydantic import TypeAdapter

from thorp.wire.model import Message
from tools.pages.page import code, table

Schema = dict[str, Any]
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}
BOUNDS = {"minimum": "≥", "maximum": "≤", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}


def fields(message: type[Message]) -> str:
    """Tables of a message and of everything inside it, or nothing when it has no fields."""
    schema = TypeAdapter(message).json_schema()
    inner: dict[str, Schema] = schema.get("$defs", {})
    blocks = [rows(schema), *(f"{code(name)}\n\n{rows(part)}" for name, part in inner.items() if "properties" in part)]
    return "\n\n".join(block for block in blocks if block)


def rows(schema: Schema) -> str:
    required = schema.get("required", [])
    return table(
        ("field", "type", "default", "meaning"),
        [
            (code(name), kind(part), default(part, needed=name in required), part.get("description", ""))
            for name, part in schema.get("properties", {}).items()
        ],
    )


def default(part: Schema, *, needed: bool) -> str:
    return "" if needed or "default" not in part else code(json.dumps(part["default"]))


def kind(part: Schema) -> str:
    """The type of a field in words."""
    if choices := part.get("anyOf"):
        return " or ".join(map(kind, choices))
    if values := literals(part):
        return " or ".join(map(code, values))
    if part.get("type") == "array":
        return "list of " + ", ".join(map(kind, part.get("prefixItems", [part.get("items", {})]))) + bounds(part)
    if part.get("type") == "object" and (inside := part.get("additionalProperties")):
        return f"map of {kind({} if inside is True else inside)}"
    return WORDS.get(part.get("type", ""), "anything") + bounds(part)


def literals(part: Schema) -> list[Any]:
    """The only values that may stand here, or the name of the message that does."""
    if "$ref" in part:
        return [part["$ref"].rpartition("/")[2]]
    return part.get("enum", [part["const"]] if "const" in part else [])


def bounds(part: Schema) -> str:
    found = [f"{word} {part[name]}" for name, word in BOUNDS.items() if name in part]
    return f" ({', '.join(found)})" if found else ""
