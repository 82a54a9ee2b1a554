"""`thorp token`: the owner's token, for a shell that speaks to the node by itself."""

from typing import Final

import click

from thorp.base.files import DISK, read_bounded
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.link import live_paths

LONGEST: Final = 256


@click.command
@pass_frame
def token(frame: Frame) -> None:
    """Whoever has it is the owner, until the node restarts: `curl -H "Authorization: Bearer $(thorp token)" …`."""
    path = live_paths(frame.paths()).owner_token
    found = read_bounded(DISK, path, LONGEST).decode("ascii", "replace").strip()
    frame.output.show({"token": found}, lambda output, data: output.line(data["token"]))
