"""`thorp capabilities`: what the node can do."""

from typing import Any

import click

from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output


@click.command
@pass_frame
def capabilities(frame: Frame) -> None:
    frame.output.show(frame.link().ask("GET", "/api/v1/capabilities"), draw)


def draw(output: Output, answer: dict[str, Any]) -> None:
    rows = answer["capabilities"]
    output.table(
        ("id", "what it does", "trust", "scope", "mesh", "streamed"),
        [
            (row["id"], row["summary"], row["trust"], row["scope"], mark(row["mesh"]), mark(row["streamed"]))
            for row in rows
            if row["listed"]
        ],
    )
    for row in rows:
        if not row["listed"]:
            output.note(f"Not listed: {row['id']}: {row['reason']}")


def mark(value: object) -> str:
    return "yes" if value else ""
