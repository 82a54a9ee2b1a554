"""What is wrong with a command line, in sentences of ours instead of the parser's."""

import re
from typing import Final, cast

import click

from thorp.base.nearest import did_you_mean

EXTRA: Final = re.compile(r"Got unexpected extra arguments? \((.*)\)", re.DOTALL)
SHOWN: Final = 80


def sentence_of(error: click.UsageError) -> str:
    """One or two sentences. What the parser says only in its own words keeps them, and ends as a sentence does."""
    match error:
        case click.NoSuchOption():
            return f"There is no option `{error.option_name[:SHOWN]}`.{_hint(error)}"
        case click.BadOptionUsage():
            needs = "takes no value" if "does not take" in error.message else "needs a value"
            return f"`{error.option_name}` {needs}."
        case click.MissingParameter() if error.param is not None:
            return f"{_name(error.param)} is missing{_also(error.param.type)}."
        case click.BadParameter() if error.param is not None and (takes := taken(error.param.type)):
            return f"{_name(error.param)} takes {takes}."
        case click.BadParameter() if error.param is not None:
            return f"{_name(error.param)}: {_ended(error.message)}"
        case _:
            return _about_extra(error.format_message())


def taken(kind: object) -> str:
    """What a parameter of this kind takes; empty where only the parser knows."""
    if isinstance(kind, click.Choice):
        return "one of " + ", ".join(map(str, cast("click.Choice[str]", kind).choices))
    if not isinstance(kind, click.IntRange):
        return "a whole number" if kind is click.INT else ""
    if kind.max is None:
        return f"a whole number, {kind.min} or more"
    return f"a whole number from {kind.min} to {kind.max}"


def _also(kind: object) -> str:
    return f"; it takes {takes}" if (takes := taken(kind)) else ""


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return f"`{max(parameter.opts, key=len)}`"
    return f"`{parameter.human_readable_name}`"


def _hint(error: click.NoSuchOption) -> str:
    """The option of this command that was probably meant. Dashes are alike in all of them and so count for nothing."""
    options = [one for one in (error.ctx.command.params if error.ctx else ()) if isinstance(one, click.Option)]
    words = {spelling.lstrip("-"): spelling for one in options for spelling in (*one.opts, *one.secondary_opts)}
    return did_you_mean(error.option_name.lstrip("-"), words, words.__getitem__)


def _about_extra(message: str) -> str:
    if extra := EXTRA.match(message):
        return f"`{extra[1][:SHOWN]}` is more than this command takes."
    return _ended(message)


def _ended(message: str) -> str:
    return message if message.endswith((".", "?")) else f"{message}."
