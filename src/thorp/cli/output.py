"""The only place that prints. Data goes to stdout, everything said about it to stderr; `--json` leaves data alone."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from thorp.app.environment import Environment
from thorp.base.printable import printable, printable_json
from thorp.cli.options import Options

WIDE = 10_000  # columns, where nobody looks and nothing may be cut
GAP = 2  # columns between two of a table, and as many at its edges
PROSE = 30  # columns that the widest one needs, however long its texts are: they fold


class Output:
    def __init__(self, environment: Environment, options: Options) -> None:
        self._environment = environment
        self._options = options

    @property
    def columns(self) -> int | None:
        """How wide the terminal is; None where stdout is none."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

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

    def done(self, text: str) -> None:
        """What came of a command that has no data to print, unless the person wants quiet."""
        if not self._options.quiet:
            self.line(text)

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
        """Rows drawn to the width of the terminal, each by itself where it is narrow; uncut where it is no terminal."""
        cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
        columns = self.columns
        if columns is None or fits(titles, cells, columns):
            self._draw(titles, cells, columns)
        else:
            for line in records(titles, cells):
                self.line(line)

    def _draw(self, titles: Sequence[str], rows: Iterable[Sequence[str]], columns: int | None) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        terminal = columns is not None
        colours = self._environment.wants_colour(terminal=terminal)
        table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        Console(
            file=sys.stdout,
            width=columns or WIDE,
            no_color=not colours,
            force_terminal=colours,
            highlight=False,
        ).print(table)

    def _say(self, start: str, text: str, colour: str) -> None:
        coloured = self._environment.wants_colour(terminal=sys.stderr.isatty())
        click.echo(click.style(start + printable(text), fg=colour), err=True, color=coloured)


def fits(titles: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> bool:
    """Whether a table of these rows can be read in so many columns: only its widest one may have to fold."""
    from rich.cells import cell_len

    widths = sorted(max(map(cell_len, column)) for column in zip(titles, *rows, strict=True))
    return sum(widths[:-1]) + min(widths[-1], PROSE) + GAP * len(widths) <= columns


def records(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines that show each row by itself: what it holds by name, and a blank line before the next."""
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from (f"{title}: {cell}" for title, cell in zip(titles, row, strict=True) if cell)
