"""The only place that prints. Data goes to stdout, everything said about it to stderr; `--json` leaves data alone."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any, Final, TextIO

import click

from thorp.app.environment import Environment
from thorp.base.errors import NoSpaceError
from thorp.base.printable import printable, printable_json
from thorp.cli.options import Options

WIDE = 10_000  # columns, where nobody looks and nothing may be cut
GAP = 2  # columns between two of a table, and as many at its edges
PROSE = 30  # columns that the widest one needs, however long its texts are: they fold
UNKNOWN_SCREEN: Final = os.terminal_size((80, 24))
YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no", ""})
STILL: Final = frozenset({"", "dumb", "unknown"})  # values of TERM: nobody knows how to move the cursor there
PLAINLY: Final = str.maketrans({"…": "~", "·": "-", "━": "#", "─": "-"})  # where stderr is not UTF-8


class Tone(StrEnum):
    """What a colour says. Each is said by a word or a sign as well."""

    GOOD = "good"
    ATTENTION = "attention"
    WRONG = "wrong"
    STRONG = "strong"
    FAINT = "faint"


STYLES: Final[dict[Tone, dict[str, Any]]] = {
    Tone.GOOD: {"fg": "green"},
    Tone.ATTENTION: {"fg": "yellow"},
    Tone.WRONG: {"fg": "red"},
    Tone.STRONG: {"bold": True},
    Tone.FAINT: {"dim": True},
}


class NotWrittenError(NoSpaceError):
    """What the command had to print could not be written to where stdout leads."""

    code = "cli.not_written"


class Output:
    def __init__(self, environment: Environment, options: Options) -> None:
        self._environment = environment
        self._options = options

    @property
    def columns(self) -> int | None:
        """How wide the terminal is; None where stdout is none."""
        return columns_of(sys.stdout)

    @property
    def interactive(self) -> bool:
        """Whether a person sits there who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def watched(self) -> bool:
        """Whether a person sees what is said beside the data."""
        return sys.stderr.isatty()

    @property
    def steerable(self) -> bool:
        """Whether what stands there can be drawn again in its place."""
        return self.watched and self._environment.term not in STILL

    @property
    def screen(self) -> os.terminal_size:
        """The terminal behind stderr as it is at this moment; for what is drawn there in place."""
        return screen_of(sys.stderr)

    def paint(self, text: str, tone: Tone) -> str:
        """For what goes to stderr."""
        coloured = self._environment.wants_colour(terminal=self.watched)
        return click.style(text, **STYLES[tone]) if coloured and text else text

    def steer(self, text: str) -> None:
        """To stderr with what moves its cursor; so what came from elsewhere must have been made printable."""
        utf8 = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
        with suppress(OSError):
            click.echo(text if utf8 else text.translate(PLAINLY), nl=False, err=True, color=True)

    def show(self, data: object, draw: Callable[["Output", Any], None]) -> None:
        """An answer: as it came with `--json`, else drawn for a person."""
        if self._options.json:
            self.json(data)
        else:
            draw(self, data)

    def json(self, data: object, *, indent: int | None = 2) -> None:
        self.raw(printable_json(json.dumps(data, indent=indent, ensure_ascii=False)) + "\n")

    def line(self, text: str = "") -> None:
        self.raw(printable(text) + "\n")

    def prose(self, text: str) -> None:
        """Sentences among the data, which a terminal would break inside their words."""
        self.line(at_words(printable(text), self.columns))

    def done(self, text: str) -> None:
        """What came of a command that has no data to print, unless the person wants quiet."""
        if not self._options.quiet:
            self.prose(text)

    def raw(self, text: str) -> None:
        with writing():
            click.echo(text, nl=False)

    def note(self, text: str) -> None:
        """Said beside the data, unless the person wants quiet."""
        if not self._options.quiet:
            self.complain_plainly(at_words(printable(text), columns_of(sys.stderr)))

    def example(self, text: str) -> None:
        """A note to be copied, so its line stays one."""
        if not self._options.quiet:
            self.complain_plainly(text)

    def warn(self, text: str) -> None:
        self._say("Warning: ", text, "yellow")

    def complain(self, text: str) -> None:
        self._say("", text, "red")

    def complain_plainly(self, text: str) -> None:
        say_beside(printable(text))

    def complain_json(self, envelope: object) -> None:
        say_beside(printable_json(json.dumps(envelope, ensure_ascii=False, default=str)))

    def ask(self, question: str) -> bool:
        """The person's answer; asked again until it is one. Enter is no."""
        while (wanted := yes_or_no(self.answer(f"{question} [y/N]"))) is None:
            self.complain_plainly("Type `y` for yes, or `n` for no.")
        return wanted

    def answer(self, question: str) -> str:
        """What the person types; nothing is an answer too."""
        try:
            return click.prompt(printable(question), default="", show_default=False, err=True)
        except click.Abort:
            self.complain_plainly("")  # what the shell says next begins on a line of its own
            raise

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values below each other. A repeated name is shown once."""
        shown = [(name, value) for name, value in rows if value]
        width = max((len(name) for name, _ in shown), default=0)
        before = ""
        for name, value in shown:
            label = f"{'' if name == before else name:<{width}}  "
            self.line(at_words(printable(value), self.columns, label))
            before = name

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows drawn to the width of the terminal, each by itself where it is narrow; uncut where it is no terminal."""
        cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
        columns = self.columns
        if columns is None and is_plain(cells) and not self._environment.wants_colour(terminal=False):
            self.raw("".join(f"{line}\n" for line in aligned([titles, *cells])))
        elif columns is None or fits(titles, cells, columns):
            self._draw(titles, cells, columns)
        else:
            for line in records(titles, cells):
                self.prose(line)

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
        console = Console(
            file=sys.stdout,
            width=columns or WIDE,
            no_color=not colours,
            force_terminal=colours,
            highlight=False,
        )
        with writing():
            console.print(table)
            sys.stdout.flush()

    def _say(self, start: str, text: str, colour: str) -> None:
        coloured = self._environment.wants_colour(terminal=sys.stderr.isatty())
        folded = at_words(start + printable(text), columns_of(sys.stderr))
        say_beside(click.style(folded, fg=colour), colour=coloured)


@contextmanager
def writing() -> Generator[None]:
    """Trouble with stdout in our words; but a reader that went away is none of it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NotWrittenError(
            f"The output could not be written: {error.strerror or error}. Send it elsewhere, or free some space there."
        ) from error


def say_beside(text: str, *, colour: bool | None = None) -> None:
    """To stderr. Where even that leads nowhere, the exit code has to do."""
    with suppress(OSError):
        click.echo(text, err=True, color=colour)


def yes_or_no(text: str) -> bool | None:
    """What somebody who was asked has typed; None is neither."""
    word = text.strip().lower()
    return word in YES if word in YES | NO else None


def columns_of(stream: TextIO) -> int | None:
    """How wide the terminal behind a stream is; None where there is none."""
    if not stream.isatty():
        return None
    return shutil.get_terminal_size(screen_of(stream)).columns


def screen_of(stream: TextIO) -> os.terminal_size:
    """Columns and lines as the terminal itself says; one that does not know counts as 80 by 24."""
    with suppress(OSError):
        told = os.get_terminal_size(stream.fileno())
        if told.columns > 0 and told.lines > 0:
            return told
    return UNKNOWN_SCREEN


def at_words(text: str, columns: int | None, label: str = "") -> str:
    """The text in lines that fit, folded between words only; a longer word, such as an address, stays whole.

    A label stands before the first line, and the others hang below its end.
    """
    if columns is None:
        return label + text
    return "\n".join(_folded(line, columns, label) for line in text.split("\n"))


def _folded(line: str, columns: int, label: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        columns,
        initial_indent=label + indent,
        subsequent_indent=" " * len(label) + indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def fits(titles: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> bool:
    """Whether a table of these rows can be read in so many columns: only its widest one may have to fold."""
    from rich.cells import cell_len

    widths = sorted(max(map(cell_len, column)) for column in zip(titles, *rows, strict=True))
    return sum(widths[:-1]) + min(widths[-1], PROSE) + GAP * len(widths) <= columns


def is_plain(rows: Iterable[Sequence[str]]) -> bool:
    """Whether every character takes one column of one line, so that counting them is measuring them."""
    return all(cell.isascii() and "\n" not in cell and "\t" not in cell for row in rows for cell in row)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines, their cells below each other: what many rows need, and much faster than drawing them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield (" " * GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def records(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines that show each row by itself: what it holds by name, and a blank line before the next."""
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from (f"{title}: {cell}" for title, cell in zip(titles, row, strict=True) if cell)
