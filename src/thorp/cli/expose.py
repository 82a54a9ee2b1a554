"""`thorp expose` and `thorp unexpose`: whether other devices reach the node."""

from typing import Any

import click

from thorp.cli.frame import Frame, pass_frame
from thorp.cli.keys import shown_once
from thorp.cli.link import exposed_addresses
from thorp.cli.output import Output


@click.command
@click.option("--host", metavar="ADDRESS", help="Address to listen on; without it: every one.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="Port to listen on.")
@click.option("--plain", is_flag=True, help="Without TLS: everybody on the network can read along.")
@pass_frame
def expose(frame: Frame, *, host: str | None, port: int | None, plain: bool) -> None:
    """Makes a key, which is printed now and never again."""
    asked = {"host": host, "port": port, "plain": plain or None}
    body = {field: value for field, value in asked.items() if value is not None}
    answer = frame.link().ask("POST", "/api/v1/exposure", body)
    with shown_once(answer["key_id"]):
        frame.output.show(answer, draw)


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_frame
def unexpose(frame: Frame, *, yes: bool, dry_run: bool) -> None:
    """Calls that run from there end. Keys stay until they are revoked."""
    link = frame.link()
    exposed = exposed_addresses(link)
    if dry_run:
        frame.output.show({"would_close": exposed}, draw_plan)
        return
    if exposed:
        frame.confirm("Close the node to other devices?", yes=yes)
    frame.output.show(link.ask("DELETE", "/api/v1/exposure"), draw_end)


def draw(output: Output, answer: dict[str, Any]) -> None:
    output.facts(
        [
            ("address", answer["address"]),
            ("fingerprint", answer["fingerprint"] or ""),
            ("key", answer["key"]),
            ("key id", answer["key_id"]),
        ]
    )
    pin = f"#sha256={answer['fingerprint']}" if answer["fingerprint"] else ""
    output.note("On the other device:")
    output.example(f"  export THORP_URL='{answer['address']}{pin}'")
    output.example(f"  export THORP_KEY={answer['key']}")
    if answer.get("warning"):
        output.warn(answer["warning"])
    output.note("The key is shown only now.")


def draw_plan(output: Output, answer: dict[str, Any]) -> None:
    output.line(f"Would close {', '.join(answer['would_close'])}." if answer["would_close"] else "Nothing is open.")


def draw_end(output: Output, answer: dict[str, Any]) -> None:
    output.done("Other devices cannot reach the node any more." if answer["was_open"] else "It was closed already.")
