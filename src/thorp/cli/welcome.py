"""What `thorp` alone shows on a terminal: how things stand, and the three most useful next commands."""

from typing import Any

from thorp.base.errors import ThorpError
from thorp.cli.frame import Frame
from thorp.cli.link import NodeStoppedError
from thorp.cli.models import library
from thorp.cli.status import draw

Step = tuple[str, str]
UP: Step = ("thorp up", "start the node here; add --detach for the background")
CHECK: Step = ("thorp config check", "find mistakes in the settings")
HELP: Step = ("thorp --help", "see every command")
OPEN: Step = ("thorp open", "open the dashboard, signed in")
CLAIM: Step = ("thorp open", "claim the dashboard in your browser")
KEY: Step = ("thorp keys create NAME", "make a key for a program or a device")
LIST: Step = ("thorp capabilities", "see what this node can do")
RESTART: Step = ("thorp down", "then `thorp up`: changed settings are waiting")
PULL: Step = ("thorp pull QUERY", "find a model and fetch it")
AGAIN: Step = ("thorp status", "look again")


def welcome(frame: Frame) -> None:
    output = frame.output
    answer: dict[str, Any] | None = None
    try:
        answer = frame.link().ask("GET", "/api/v1/status")
        draw(output, answer)
        steps = next_steps(answer, has_models=has_models(frame))
    except NodeStoppedError as error:
        output.line(error.message.partition(" Start it")[0])
        steps = (UP, CHECK if has_models(frame) else PULL, HELP)
    except ThorpError as error:
        output.complain(error.message)
        steps = (AGAIN, CHECK, HELP)
    output.line()
    output.facts((f"  {command}", why) for command, why in steps)


def has_models(frame: Frame) -> bool:
    """Whether there is a model to work with; who cannot know is not sent to fetch one."""
    try:
        return bool(library(frame)["models"])
    except ThorpError:
        return True


def next_steps(answer: dict[str, Any], *, has_models: bool) -> tuple[Step, Step, Step]:
    """The three most useful next commands for a running node."""
    last = LIST if has_models else PULL
    if not answer["claimed"]:
        return CLAIM, KEY if has_models else PULL, LIST
    if answer["config"]["needs_restart"]:
        return RESTART, OPEN, last
    return OPEN, KEY, last
