"""The only place that prints. Data goes to stdout, everything said about it to stderr; `--json` leaves data alone."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from thorp.app.environment import Environment
from thorp.base.printable import printable, printable_json
from thorp.cli.options import Options

WIDE = 10_000  # columns, where nobody looks and nothing may be cut


class Output:
    def __init__(self, environment: Environment, options: Options) -> None:
        self._environment = environment
        self._options = options

    @property
    def interactive(self) -> bool:
        """Whether a person sits there who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def show(self, data: object, draw: Callable[["Output", Any], None]) -> None:
        """An answer: as it came with `--json`, else drawn for a person."""
        if self._options.json:
            self.json(data)
        else:
            draw(self, data)

    def json(self, data: object, *, indent: int | None = 2) -> None:
        click.echo(printable_json(json.dumps(data, indent=indent, ensure_ascii=False)))

    def line(self, text: str = "") -> None:
        click.echo(printable(text))

    def raw(self, text: str) -> None:
        click.echo(text, nl=False)

    def note(self, text: str) -> None:
        """Said beside the data, unless the person wants quiet."""
        if not self._options.quiet:
            click.echo(printable(text), err=True)

    def warn(self, text: str) -> None:
        self._say("Warning: ", text, "yellow")

    def complain(self, text: str) -> None:
        self._say("", text, "red")

    def complain_plainly(self, text: str) -> None:
        click.echo(printable(text), err=True)

    def complain_json(self, envelope: object) -> None:
        click.echo(printable_json(json.dumps(envelope, ensure_ascii=False, default=str)), err=True)

    def ask(self, question: str) -> bool:
        return click.confirm(printable(question), err=True)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values below each other. A repeated name is shown once."""
        shown = [(name, value) for name, value in rows if value]
        width = max((len(name) for name, _ in shown), default=0)
        before = ""
        for name, value in shown:
            self.line(f"{'' if name == before else name:<{width}}  {value}")
            before = name

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows drawn to the width of the terminal; uncut where it is no terminal."""
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        terminal = sys.stdout.isatty()
        colours = self._environment.wants_colour(terminal=terminal)
        table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
        Console(
            file=sys.stdout,
            width=None if terminal else WIDE,
            no_color=not colours,
            force_terminal=colours,
            highlight=False,
        ).print(table)

    def _say(self, start: str, text: str, colour: str) -> None:
        coloured = self._environment.wants_colour(terminal=sys.stderr.isatty())
        click.echo(click.style(start + printable(text), fg=colour), err=True, color=coloured)
