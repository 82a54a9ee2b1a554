"""`thorp sessions`: browsers that are signed in to the dashboard."""

from typing import Any
from urllib.parse import quote

import click

from thorp.base.errors import NotFoundError, UsageError
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when


class NoSuchSessionError(NotFoundError):
    """No live session has this id."""

    code = "cli.no_such_session"


class WhichSessionError(UsageError):
    """Neither one session nor the others were named, or both."""

    code = "cli.which_session"


@click.command
@pass_frame
def list_sessions(frame: Frame) -> None:
    frame.output.show(frame.link().ask("GET", "/api/v1/sessions"), draw_all)


@click.command
@click.argument("session_id", metavar="[ID]", required=False)
@click.option("--others", is_flag=True, help="Instead of one: every session but the one that asks.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_frame
def end(frame: Frame, *, session_id: str | None, others: bool, yes: bool, dry_run: bool) -> None:
    """ID is shown by `thorp sessions list`. Where no session asks, as over the socket, `--others` means all."""
    if (session_id is not None) is others:
        raise WhichSessionError("Name one session, or use `--others`. `thorp sessions list` shows them all.")
    link = frame.link()
    found = link.ask("GET", "/api/v1/sessions")["sessions"]
    meant = [one for one in found if not one["this"]] if session_id is None else [find(found, session_id)]
    if dry_run:
        frame.output.show({"would_end": meant}, lambda output, _: output.line(f"Would end {title(meant)}."))
        return
    frame.confirm(f"End {title(meant)}?", yes=yes)
    if session_id is None:
        answer = link.ask("POST", "/api/v1/sessions/end", {"others": True})
    else:
        answer = link.ask("DELETE", f"/api/v1/sessions/{quote(session_id, safe='')}")
    frame.output.show(answer, draw_end)


def find(sessions: list[dict[str, Any]], session_id: str) -> dict[str, Any]:
    for session in sessions:
        if session["id"] == session_id:
            return session
    raise NoSuchSessionError(
        f"No session that is signed in has the id `{session_id[:80]}`. `thorp sessions list` shows them all.",
        id=session_id[:80],
    )


def title(sessions: list[dict[str, Any]]) -> str:
    return named([one["id"] for one in sessions])


def named(ids: list[str]) -> str:
    if len(ids) == 1:
        return f"the session {ids[0]}"
    return f"{len(ids)} sessions ({', '.join(ids)})" if ids else "no session"


def draw_all(output: Output, answer: dict[str, Any]) -> None:
    if not answer["sessions"]:
        output.note("No browser is signed in. `thorp open` signs one in.")
        return
    titles = ("id", "created", "expires", "this")
    rows = [
        [one["id"], when(one["created"]), when(one["expires"]), "yes" if one["this"] else ""]
        for one in answer["sessions"]
    ]
    output.table(titles, rows)


def draw_end(output: Output, answer: dict[str, Any]) -> None:
    output.done(f"Ended {named(answer['ended'])}.")
