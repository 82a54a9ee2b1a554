"""`thorp up`: starts the node of this home, here or in the background."""

import os
import sys
import webbrowser
from dataclasses import asdict
from typing import Any

import click

from thorp.app.ready import Ready, failed_line, ready_line
from thorp.base.errors import ThorpError
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output


@click.command()
@click.option("--detach", is_flag=True, help="Start it in the background and return when it is ready.")
@click.option("--open", "open_page", is_flag=True, help="Open the dashboard when it is ready.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="Port of the local listener for this run.")
@click.option("--ready-fd", type=int, hidden=True)
@pass_frame
def up(frame: Frame, *, detach: bool, open_page: bool, port: int | None, ready_fd: int | None) -> int:
    """It runs until `thorp down`, Ctrl-C or the end of the machine."""
    if detach:
        from thorp.app.detach import start_detached
        from thorp.app.home import NEW_IDENTITY, has_lost_its_key

        lost = has_lost_its_key(frame.paths())
        show(frame, start_detached(frame.paths(), () if port is None else ("--port", str(port))), open_page=open_page)
        if lost:
            frame.output.warn(NEW_IDENTITY)
        return 0
    from thorp.app.run import run_node

    def on_ready(ready: Ready) -> None:
        if ready_fd is None:
            show(frame, ready, open_page=open_page)
        else:
            tell_parent(ready_fd, ready_line(ready))

    try:
        flags = {} if port is None else {"local.port": str(port)}
        return run_node(frame.paths(), frame.environment, flags, on_ready)
    except ThorpError as error:
        if ready_fd is not None:
            tell_parent(ready_fd, failed_line(error))
        raise


def tell_parent(ready_fd: int, news: bytes) -> None:
    with os.fdopen(ready_fd, "wb") as parent:
        parent.write(news)


def show(frame: Frame, ready: Ready, *, open_page: bool) -> None:
    frame.output.show({**asdict(ready), "url": ready.url}, draw)
    sys.stdout.flush()
    if open_page and not webbrowser.open(ready.url):
        frame.output.note("No browser could be opened here; open the address yourself.")


def draw(output: Output, ready: dict[str, Any]) -> None:
    output.prose(f"{ready['name']} is up: {ready['url']}")
    if ready["code"]:
        output.note("The address holds a one-time code that makes the first browser yours; it is good for 15 minutes.")
    else:
        output.note("`thorp open` opens the dashboard, signed in.")
