"""The page of capabilities."""

import json
from collections.abc import Iterator

from thorp.wire.capabilities import every_capability
from thorp.wire.capability import Capability
from tools.pages.page import Named, Page, code, document, table
from tools.pages.shapes import fields

INTRODUCTION = """What a node can do. Each of these is reachable as `POST /api/v1/call/{name}`, as
`thorp call NAME JSON` and, where it has one, by its own route; see [rest.md](rest.md) and [cli.md](cli.md)."""


def text() -> str:
    return document("Capabilities", INTRODUCTION, *map(section, every_capability()))


def names() -> Iterator[Named]:
    return (Named(capability.id) for capability in every_capability())


def section(capability: Capability) -> str:
    blocks = [
        f"## {code(capability.id)}",
        capability.summary,
        facts(capability),
        *shape("Routing", capability.params),
        *shape("Input", capability.request),
        *(shape("Frames", capability.frames) if capability.frames else ()),
        *shape("Answer", capability.answer),
        *examples(capability),
    ]
    return "\n\n".join(blocks)


def facts(capability: Capability) -> str:
    limits = capability.limits
    return table(
        ("node", "key", "again?", "deadline", "at once", "input", "schema"),
        [
            (
                f"{capability.trust.word} or above" if capability.mesh else "no other node",
                f"scope {code(capability.scope)}" if capability.scope else "none",
                code(capability.idempotent),
                f"{limits.seconds:g} s",
                str(limits.concurrent),
                f"{limits.input_bytes // 1024} KiB",
                code(capability.schema_hash()[:16]),
            )
        ],
    )


def shape(title: str, message: type) -> Iterator[str]:
    if found := fields(message):
        yield f"{title}:"
        yield found


def examples(capability: Capability) -> Iterator[str]:
    for example in capability.examples:
        lines = [json.dumps({"input": example.input})]
        if example.answer is not None:
            lines.append(json.dumps({"output": example.answer}))
        yield "\n".join((f"{example.says or 'Example'}\n", "```json", *lines, "```"))


PAGE = Page("capabilities.md", text, names)
