"""A few lines on the terminal that are drawn again in their place, and the measure of text there.

It goes by what the terminal shows now: after a change of its width the old lines take more rows, and all are cleared.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Final

import click

from thorp.base.printable import printable
from thorp.cli.output import Output

CLEAR_LINE: Final = "\x1b[K"  # from the cursor to the end of its line
CLEAR_BELOW: Final = "\x1b[J"  # from the cursor to the end of the screen
HIDE_CURSOR: Final = "\x1b[?25l"
SHOW_CURSOR: Final = "\x1b[?25h"
MORE: Final = "…"
LEAST_ENDS: Final = 8  # columns; of what is shorter the start says more


class Live:
    """Lines that already fit the terminal, one below the other."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._widths: tuple[int, ...] = ()

    @property
    def columns(self) -> int:
        """How wide a line may be: one less than the terminal, whose last column makes some of them wrap."""
        return max(1, self._output.screen.columns - 1)

    def draw(self, lines: Sequence[str]) -> None:
        widths = tuple(cells(click.unstyle(line)) for line in lines)
        self._output.steer(back(self._widths, self._output.screen.columns) + block(lines))
        self._widths = widths  # last: whoever interrupts this may see lines twice, but loses none above them

    def clear(self) -> None:
        """As if nothing had been drawn."""
        if self._widths:
            self._output.steer(back(self._widths, self._output.screen.columns) + CLEAR_BELOW)
            self._widths = ()

    @contextmanager
    def without_cursor(self) -> Generator[None]:
        """For lines that are used instead of read. Whatever ends it, the lines are gone and the cursor is there."""
        self._output.steer(HIDE_CURSOR)
        try:
            yield
        finally:
            self.clear()
            self._output.steer(SHOW_CURSOR)

    def leave(self, lines: Sequence[str]) -> None:
        """These stay; what is said next begins below them."""
        self.clear()
        self._output.steer("".join(f"{line}\n" for line in lines))


def back(widths: Sequence[int], columns: int) -> str:
    """From the end of lines that are so wide to the start of the first."""
    rows = sum(max(1, -(-width // columns)) for width in widths)
    return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")


def block(lines: Iterable[str]) -> str:
    return "\n".join(f"{line}{CLEAR_LINE}" for line in lines) + CLEAR_BELOW


def plain(text: str) -> str:
    """Text from elsewhere on one line, unable to steer anything."""
    return " ".join(printable(text).split())


def cells(text: str) -> int:
    """How many columns a text takes: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, columns: int) -> str:
    """As much of a text as fits, and a sign where that is not all."""
    if cells(text) <= columns:
        return text
    return start_of(text, columns - 1) + MORE if columns > 0 else ""


def shortened(text: str, columns: int) -> str:
    """The same for names, whose ends tell them apart: they lose their middle."""
    if cells(text) <= columns or columns < LEAST_ENDS:
        return cut(text, columns)
    end = start_of(text[::-1], columns // 2)[::-1]
    return start_of(text, columns - 1 - cells(end)) + MORE + end


def start_of(text: str, columns: int) -> str:
    if text.isascii():
        return text[: max(0, columns)]
    from rich.cells import chop_cells

    return next(chain(chop_cells(text, columns), [""])) if columns > 0 else ""


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Exactly so wide."""
    shown = shortened(text, columns)
    gap = " " * (columns - cells(shown))
    return gap + shown if right else shown + gap
