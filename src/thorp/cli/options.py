"""What holds for every command, wherever on the line it stands: `--json`, `--quiet`, `-v`, `--node`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

LINE: Final = "Options of every command: --json, --quiet, -v, --node URL; see `thorp --help`."


@dataclass(eq=False, slots=True)
class Options:
    """Filled while the command line is parsed, read afterwards."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    node: str = ""


def help_option(show: Callable[[click.Context], None]) -> click.Option:
    """What click has by itself, printed as everything else is."""

    def shown(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            show(context)
            context.exit()

    return click.Option(
        ["-h", "--help"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=shown,
        help="Show this message and exit.",
    )


def shared_options(options_of: Callable[[click.Context], Options], *, hidden: bool) -> list[click.Parameter]:
    """The same options once more; hidden where a line points to the help that shows them."""

    def note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value and not context.resilient_parsing:
            setattr(options_of(context), str(parameter.name), value)

    def option(*names: str, **details: Any) -> click.Option:
        return click.Option(names, expose_value=False, is_eager=True, hidden=hidden, callback=note, **details)

    return [
        option("--json", is_flag=True, help="Print data as JSON."),
        option("--quiet", "-q", is_flag=True, help="Print data and errors only."),
        option("--verbose", "-v", count=True, help="Say more; show where an unexpected error came from."),
        option("--node", metavar="URL", help="Talk to the node at this address, with the key in THORP_KEY."),
    ]
