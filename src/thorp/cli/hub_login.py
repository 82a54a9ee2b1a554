"""`thorp login hub` and `thorp logout hub`: the token that opens gated models. It never stands on a command line."""

import re
import sys
from typing import Final

import click

from thorp.base.errors import UsageError
from thorp.cli.frame import Frame, pass_frame

TOKEN: Final = re.compile(r"[!-~]{8,512}")
LONGEST: Final = 1024  # characters that are read
START: Final = "hf_"
STDIN: Final = "-"


class NoTokenError(UsageError):
    """What was given is no token."""

    code = "cli.no_token"


class OpenTokenError(UsageError):
    """A token stood on the command line, where others can read it."""

    code = "cli.open_token"


@click.command
@click.option("--token", metavar="-", help="Read it from stdin, also on a terminal.")
@pass_frame
def login(frame: Frame, *, token: str | None) -> None:
    """The hub shows it in its settings, under access tokens; one that may read is enough.

    Without a terminal it is read from stdin. It is kept in keys/ for you alone, and sent to the hub's host only.
    """
    if token not in (None, STDIN):
        raise OpenTokenError(
            "A token on the command line can be read by other programs, so this one was not taken, and is better "
            "replaced. Leave it out to be asked, or send it to stdin with `--token -`."
        )
    paths = frame.paths()
    found = checked(typed() if token is None and frame.output.interactive else sys.stdin.read(LONGEST))
    frame.here.keep_token(paths, found)
    if not found.startswith(START):
        frame.output.warn(f"Tokens of Hugging Face begin with `{START}`; this one was kept all the same.")
    frame.output.show({"kept": True}, lambda output, _: output.done("Kept. Pulls use it from now on."))


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_frame
def logout(frame: Frame, *, yes: bool, dry_run: bool) -> None:
    """It is still good at the hub until you end it there. One in HF_TOKEN stays as it is."""
    paths = frame.paths()
    if dry_run:
        frame.output.show({"would_remove": True}, lambda output, _: output.line("Would remove the token of the hub."))
        return
    frame.confirm("Remove the token of the hub from this machine?", yes=yes)
    gone = frame.here.forget_token(paths)
    frame.output.show(
        {"removed": gone}, lambda output, _: output.done("Removed." if gone else "There was no token of the hub here.")
    )


def typed() -> str:
    return click.prompt("Token of the hub", default="", show_default=False, hide_input=True, err=True)


def checked(text: str) -> str:
    """The token, if it can be one. It is never repeated."""
    found = text.strip()
    if not TOKEN.fullmatch(found):
        raise NoTokenError("That is no token: one is a single word such as `hf_…`. Copy it once more from the hub.")
    return found
