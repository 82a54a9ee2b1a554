"""`thorp call`: any capability by its name."""

import sys
from typing import Any, cast
from urllib.parse import quote

import click

from thorp.base.errors import UsageError
from thorp.cli.answered import answered
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.link import Link, StrangeAnswerError
from thorp.wire import strictjson


class BadJsonError(UsageError):
    """What was given is no JSON object."""

    code = "cli.bad_json"


def capabilities_like(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What a shell may complete a name to: everything Thorp knows; no node is asked which of it works there."""
    from thorp.wire.capabilities import every_capability  # all declarations, which the call itself does not need

    return sorted({one.name for one in every_capability() if one.name.startswith(incomplete)})


@click.command
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=capabilities_like)
@click.argument("given", metavar="[JSON|-]", default="{}")
@click.option("--stream", is_flag=True, help="Print each frame as it comes.")
@click.option("--params", default="{}", metavar="JSON", help="What routing matches, for example the model.")
@pass_frame
def call(frame: Frame, *, name: str, given: str, stream: bool, params: str) -> None:
    """The input is a JSON object; `-` reads it from stdin. `thorp capabilities` lists the names."""
    text = sys.stdin.read() if given == "-" else given
    body = {"params": json_object(params, "--params"), "input": json_object(text, "the input")}
    path = f"/api/v1/call/{quote(name, safe='@.')}"
    if stream:
        print_frames(frame, frame.link(), path, body)
    else:
        answer = frame.link().ask("POST", path, body)
        frame.output.show(answer, lambda output, data: output.json(data["output"]))


def json_object(text: str, what: str) -> dict[str, Any]:
    try:
        found = strictjson.parse_json(text.encode(errors="surrogateescape"))
    except strictjson.BadJsonError as error:
        raise BadJsonError(f"{what.capitalize()} is not taken. {error.message}") from None
    if not isinstance(found, dict):
        raise BadJsonError(f'{what.capitalize()} has to be a JSON object, for example \'{{"text": "hello"}}\'.')
    return cast("dict[str, Any]", found)


def print_frames(frame: Frame, link: Link, path: str, body: object) -> None:
    """One line for each frame; the last one is the answer. With --json each line names its event."""
    for one in link.frames("POST", path, body):
        if one.event == "error":
            raise answered(None, one.data)
        if frame.options.json:
            frame.output.json({"event": one.event, "data": one.data}, indent=None)
        else:
            frame.output.json(one.data["output"] if one.event == "done" else one.data, indent=None)
        if one.event == "done":
            return
    raise StrangeAnswerError(f"The stream of {link.where} ended without an answer. Try again.")
