"""One of several things, picked by a person on a terminal. It prints no data and decides nothing by itself.

What a key does (`pressed`) and what is seen (`drawn`) are pure; `pick` alone touches the terminal.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import zip_longest
from typing import Final

import click

from thorp.cli.keyboard import Key, keyboard
from thorp.cli.live import Live, cells, cut, padded, plain
from thorp.cli.output import Output, Tone, at_words

POINTER: Final = ">"
GAP: Final = "  "
LEAST_LABEL: Final = 24  # columns; before a label gets shorter, a column at its side goes
LEAST_HINT: Final = 10  # what is shorter says nothing
LONGEST_SOUGHT: Final = 60
LOOK_AGAIN: Final = 0.25  # seconds after which a changed size of the terminal is seen
BADGES: Final = {"fits": Tone.GOOD, "tight": Tone.ATTENTION, "too big": Tone.WRONG}
HELP: Final = "arrows move · / filters · Enter picks · Esc leaves"
HELP_SOUGHT: Final = "Enter picks · Esc shows all"

Paint = Callable[[str, Tone], str]


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    columns: tuple[str, ...] = ()
    badge: str | None = None  # fits | tight | too big
    hint: str = ""  # shown where there is room


class Ending(Enum):
    OPEN = auto()
    PICKED = auto()
    LEFT = auto()


@dataclass(frozen=True, slots=True)
class PickState:
    """Where the person is in a list of which a window is seen."""

    texts: tuple[str, ...]  # of each row, what the filter looks at
    page: int  # rows in the window
    at: int = 0  # the place of the pointer among the rows shown
    top: int = 0  # the first place in the window
    sought: str | None = None  # None: no filter is being typed
    digits: str = ""  # a row's number as far as it was typed
    ending: Ending = Ending.OPEN

    @property
    def shown(self) -> tuple[int, ...]:
        """The rows that the filter leaves."""
        words = (self.sought or "").casefold().split()
        return tuple(row for row, text in enumerate(self.texts) if all(word in text.casefold() for word in words))

    @property
    def chosen(self) -> int | None:
        """The row under the pointer; None where the filter leaves nothing."""
        shown = self.shown
        return shown[self.at] if shown else None


def pressed(state: PickState, key: str) -> PickState:
    """What one key changes."""
    if key == Key.LEAVE:
        return replace(state, ending=Ending.LEFT)
    if key == Key.ENTER:
        return replace(state, ending=Ending.PICKED) if state.shown else state
    step = steps(state).get(key)
    if step is not None:
        return moved(replace(state, digits=""), state.at + step)
    return _commanded(state, key) if state.sought is None else _sought(state, key)


def steps(state: PickState) -> dict[str, int]:
    """How far each key moves the pointer."""
    many = len(state.texts)
    moves: dict[str, int] = {Key.UP: -1, Key.DOWN: 1, Key.PAGE_UP: -state.page, Key.PAGE_DOWN: state.page}
    moves |= {Key.HOME: -many, Key.END: many}
    return moves if state.sought is not None else moves | {"k": -1, "j": 1}


def moved(state: PickState, at: int) -> PickState:
    """The pointer at this place or the nearest there is, and the window around it."""
    last = max(0, len(state.shown) - 1)
    at = max(0, min(at, last))
    top = max(at - state.page + 1, min(state.top, at))
    return replace(state, at=at, top=max(0, min(top, last - state.page + 1)))


def sized(state: PickState, page: int) -> PickState:
    """The same in a window of another height."""
    return moved(replace(state, page=max(1, page)), state.at)


def _commanded(state: PickState, key: str) -> PickState:
    if key in (Key.ESCAPE, "q"):
        return replace(state, ending=Ending.LEFT)
    if key == "/":
        return replace(state, sought="", digits="")
    if len(key) == 1 and key in "0123456789":
        return _numbered(state, key)
    return replace(state, digits="")


def _numbered(state: PickState, digit: str) -> PickState:
    """Digits go on to a larger number as long as there is such a row; else a new one begins."""
    many = len(state.texts)
    for digits in (state.digits + digit, digit):
        if 1 <= int(digits) <= many:
            return moved(replace(state, digits=digits), int(digits) - 1)
    return replace(state, digits="")


def _sought(state: PickState, key: str) -> PickState:
    sought = state.sought or ""
    if key == Key.ESCAPE or (key == Key.BACKSPACE and not sought):
        chosen = state.chosen
        return moved(replace(state, sought=None), chosen or 0)
    if key == Key.BACKSPACE:
        sought = sought[:-1]
    elif len(key) == 1:
        sought = (sought + key)[:LONGEST_SOUGHT]
    return moved(replace(state, sought=sought, top=0), 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide each part of a row is; 0 is left out."""

    number: int
    label: int
    columns: tuple[int, ...]
    badge: int
    hint: int


def layout(choices: Sequence[Choice], room: int) -> Layout:
    """All that fits. First the hints go, then labels get shorter, then columns go from the last on; badges stay."""
    number = len(str(len(choices)))
    label = max((cells(one.label) for one in choices), default=0)
    badge = max((len(one.badge or "") for one in choices), default=0)
    columns = [max(map(cells, column)) for column in zip_longest(*(one.columns for one in choices), fillvalue="")]

    def others() -> int:
        sides = [width for width in (*columns, badge) if width]
        return len(POINTER) + 1 + number + len(GAP) + sum(sides) + len(GAP) * len(sides)

    while columns and others() + min(label, LEAST_LABEL) > room:
        columns.pop()
    label = max(1, min(label, room - others()))
    left = room - others() - label - len(GAP)
    hint = min(left, max((cells(one.hint) for one in choices), default=0))
    return Layout(number, label, tuple(columns), badge, hint if left >= LEAST_HINT else 0)


def row_of(choice: Choice, place: int, plan: Layout, paint: Paint, *, pointed: bool) -> str:
    """One line of the list, by its number from 1."""
    label = padded(choice.label, plan.label)
    start = f"{POINTER if pointed else ' '} {place:>{plan.number}}{GAP}{label}"
    parts = [paint(start, Tone.STRONG) if pointed else start]
    for text, width in zip_longest(choice.columns, plan.columns, fillvalue=""):
        if isinstance(width, int) and width:
            parts.append(padded(text, width, right=text[:1].isdigit()))
    if plan.badge:
        badge = choice.badge or ""
        parts.append(paint(badge, BADGES.get(badge, Tone.FAINT)) + " " * (plan.badge - len(badge)))
    if plan.hint:
        parts.append(paint(cut(choice.hint, plan.hint), Tone.FAINT))
    return GAP.join(parts).rstrip()


def drawn(title: str, choices: Sequence[Choice], state: PickState, room: int, paint: Paint) -> list[str]:
    """All lines, none wider than there is room: the question, the window, and what can be pressed."""
    plan = layout(choices, room)
    shown = state.shown
    lines = [paint(line, Tone.STRONG) for line in headed(title, room)]
    for place in range(state.top, min(state.top + state.page, len(shown))):
        row = shown[place]
        lines.append(row_of(choices[row], row + 1, plan, paint, pointed=place == state.at))
    return [*lines, paint(cut(footer(state), room), Tone.FAINT)]


def headed(title: str, room: int) -> list[str]:
    return [cut(line, room) for line in at_words(title, room).splitlines()]


def footer(state: PickState) -> str:
    shown = len(state.shown)
    if state.sought is not None:
        return f"/{state.sought} · {shown} of {len(state.texts)} · {HELP_SOUGHT}"
    return f"{state.at + 1} of {shown} · {HELP}"


def pick(output: Output, title: str, rows: Sequence[Choice], *, at: int = 0) -> int | None:
    """The place of the row the person wants; None where there is nothing to pick, or nobody to pick it.

    The pointer begins `at` one of them. Who leaves without a choice ends the command.
    """
    if not rows or not output.interactive:
        return None
    choices = [printable_choice(one) for one in rows]
    return _picked(output, plain(title), choices, at) if output.steerable else _typed(output, plain(title), choices)


def printable_choice(choice: Choice) -> Choice:
    return Choice(
        plain(choice.label),
        tuple(plain(one) for one in choice.columns),
        plain(choice.badge) if choice.badge else None,
        plain(choice.hint),
    )


def _picked(output: Output, title: str, choices: Sequence[Choice], at: int) -> int:
    live = Live(output)
    texts = tuple(" ".join((one.label, *one.columns, one.badge or "", one.hint)) for one in choices)
    state = PickState(texts, page=1, at=at)
    with keyboard(sys.stdin.fileno()) as keys, live.without_cursor():
        before = None
        while state.ending is Ending.OPEN:
            state = sized(state, output.screen.lines - len(headed(title, live.columns)) - 2)
            if before != (state, output.screen):
                live.draw(drawn(title, choices, state, live.columns, output.paint))
                before = (state, output.screen)
            for key in keys.keys(LOOK_AGAIN):
                state = pressed(state, key) if state.ending is Ending.OPEN else state
    chosen = state.chosen
    if state.ending is Ending.LEFT or chosen is None:
        raise click.Abort
    live.leave([row_of(choices[chosen], chosen + 1, layout(choices, live.columns), output.paint, pointed=True)])
    return chosen


def _typed(output: Output, title: str, choices: Sequence[Choice]) -> int:
    """A numbered list and a number, for terminals that only write on."""
    plan = layout(choices, output.screen.columns - 1)
    output.complain_plainly(at_words(title, output.screen.columns))
    for place, choice in enumerate(choices, 1):
        output.complain_plainly(row_of(choice, place, plan, unpainted, pointed=False))
    while (number := number_of(output.answer(f"Number (1-{len(choices)}), or q to leave"), len(choices))) is None:
        output.complain_plainly(f"Type a number from 1 to {len(choices)}, or `q` to leave.")
    if number == 0:
        raise click.Abort
    return number - 1


def unpainted(text: str, _tone: Tone) -> str:
    return text


def number_of(text: str, many: int) -> int | None:
    """What somebody typed who was asked for a number from 1 on: 0 leaves, None is neither."""
    word = text.strip().lower()
    if word in ("q", ""):
        return 0
    wanted = int(word) if word.isascii() and word.isdigit() and len(word) <= len(str(many)) else 0
    return wanted if 1 <= wanted <= many else None
