"""`thorp down`: stops the node in order and waits until its home is free."""

import time
from pathlib import Path
from typing import Final

import click

from thorp.app.lock import read_holder
from thorp.base.clock import SystemClock
from thorp.base.errors import TryAgainError
from thorp.cli.frame import Frame, pass_frame

LONGEST: Final = 15.0  # seconds; a node promises ten
STEP: Final = 0.05


class StillRunningError(TryAgainError):
    """The node was asked to stop and has not yet."""

    code = "cli.still_running"


@click.command()
@pass_frame
def down(frame: Frame) -> None:
    """Work under way may finish for a moment; the rest ends with a reason. Nothing to stop is no error."""
    link = frame.running_link()
    stopped = link is not None
    if link is not None:
        link.ask("POST", "/api/v1/admin/shutdown")
        if not frame.node_url:
            wait_until_free(frame.paths().lock)
    frame.output.show(
        {"stopped": stopped},
        lambda output, data: output.done("Stopped." if data["stopped"] else "No node runs on this home."),
    )


def wait_until_free(lock: Path) -> None:
    clock = SystemClock()
    until = clock.monotonic() + LONGEST
    while holder := read_holder(lock):
        if clock.monotonic() > until:
            raise StillRunningError(
                f"The node (process {holder.pid}) was asked to stop and still runs. `{lock.parent}` stays taken.",
                pid=holder.pid,
            )
        time.sleep(STEP)
