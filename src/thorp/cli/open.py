"""`thorp open`: the dashboard in a browser, signed in by a one-time code."""

import webbrowser
from typing import Any

import click

from thorp.base.errors import ThorpError
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.link import Link, exposed_addresses
from thorp.cli.output import Output
from thorp.cli.when import when


@click.command
@click.option("--print", "only_print", is_flag=True, help="Print the address instead of opening a browser.")
@click.option(
    "--anywhere", is_flag=True, help="Print a code that also counts on other computers and for other users of this one."
)
@pass_frame
def open_dashboard(frame: Frame, *, only_print: bool, anywhere: bool) -> None:
    """The address works once, for 15 minutes. Before the first claim it claims the dashboard."""
    link = frame.link()
    answer = link.ask("POST", "/api/v1/login/codes", {"anywhere": anywhere})
    if anywhere:
        frame.output.show(answer, draw_code)
        if not frame.options.json and is_alone(link):
            frame.output.note("Nobody elsewhere reaches this node yet; `thorp expose` opens it to other devices.")
    elif frame.options.json or only_print or not frame.environment.display or not webbrowser.open(answer["url"]):
        frame.output.show(answer, draw)
    else:
        frame.output.note("The dashboard opens in your browser. If it does not: `thorp open --print`.")


def is_alone(link: Link) -> bool:
    """Whether the node is known to be closed to other devices. The code was made, so not knowing is no error."""
    try:
        return not exposed_addresses(link)
    except ThorpError:
        return False


def draw_code(output: Output, answer: dict[str, Any]) -> None:
    output.line(answer["code"])
    output.note(f"Type it into this node's page, wherever you opened it. Works once, until {when(answer['expires'])}.")


def draw(output: Output, answer: dict[str, Any]) -> None:
    output.line(answer["url"])
    output.note(f"Works once, until {when(answer['expires'])}.")
