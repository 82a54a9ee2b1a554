"""How a transfer goes on, while somebody waits for it: a bar on a terminal, JSON lines for a program, else nothing.

It shows what it is told and counts nothing itself.
"""

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeAlias

from thorp.base.amounts import size
from thorp.base.clock import Clock, SystemClock
from thorp.cli.amounts import rate, span
from thorp.cli.live import Live, cells, cut, padded, plain, shortened
from thorp.cli.options import Options
from thorp.cli.output import Output, Tone

EVERY: Final = 0.15  # seconds; nobody reads faster, and some terminals are slow
LEAST_NAME: Final = 12  # columns
LEAST_BAR: Final = 8
WIDEST_BAR: Final = 40
DONE: Final = "━"
AHEAD: Final = "─"
GAP: Final = "  "
STEPS: Final = 10  # lines, about, where nothing can be drawn again
TONES: Final = {"done": Tone.GOOD, "paused": Tone.ATTENTION, "failed": Tone.WRONG, "cancelled": Tone.WRONG}

Row: TypeAlias = Mapping[str, Any]  # a transfer: id, ref, state, total, done, by_source, rate, eta, error
Paint: TypeAlias = Callable[[str, Tone], str]


class Shown(Protocol):
    """Who wants to be told of one transfer. All calls come from one thread."""

    def update(self, row: Row) -> None: ...

    def clear(self) -> None:
        """Make room for something that must be said; the next update draws again."""
        ...


@contextmanager
def progress(output: Output, options: Options, clock: Clock | None = None) -> Generator[Shown]:
    """Shows what it is told until the block ends; what was told last then stays."""
    if options.json:
        yield JsonLines(output)
    elif options.quiet or not output.watched:
        yield Silence()
    elif not output.steerable:
        yield PlainLines(output)
    else:
        line = ProgressLine(output, clock or SystemClock())
        try:
            yield line
        finally:
            line.end()


class ProgressLine:
    """One bar that is drawn in its place, not too often; a new state is seen at once."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        self._live = Live(output)
        self._row: Row | None = None
        self._drawn_at = -math.inf

    def update(self, row: Row) -> None:
        before, self._row = self._row, row
        changed = before is None or before.get("state") != row.get("state")
        if changed or self._clock.monotonic() - self._drawn_at >= EVERY:
            self._live.draw(drawn(row, self._live.columns, self._output.paint))
            self._drawn_at = self._clock.monotonic()

    def clear(self) -> None:
        self._live.clear()
        self._drawn_at = -math.inf

    def end(self) -> None:
        if self._row is not None:
            self._live.leave(drawn(self._row, self._live.columns, self._output.paint))


class JsonLines:
    def __init__(self, output: Output) -> None:
        self._output = output

    def update(self, row: Row) -> None:
        self._output.json(dict(row), indent=None)

    def clear(self) -> None:
        """Nothing stands in the way."""


class PlainLines:
    """For a terminal that only writes on: a line for each new state and each tenth."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._told: tuple[object, int] | None = None

    def update(self, row: Row) -> None:
        news = (row.get("state"), math.floor((share(row) or 0) * STEPS))
        if news != self._told:
            self._told = news
            self._output.note(GAP.join([plain(str(row.get("ref") or "")), percent(row), *details(row)[0]]))

    def clear(self) -> None:
        """Nothing stands in the way."""


class Silence:
    def update(self, row: Row) -> None:
        """Nobody looks."""

    def clear(self) -> None:
        """Nothing is there."""


def drawn(row: Row, room: int, paint: Paint) -> list[str]:
    """Two lines that fit: what it is and how far it is; and below, in numbers, as many as there is room for."""
    state = str(row.get("state") or "")
    numbers = next((line for line in map(GAP.join, details(row)) if cells(line) <= room), "")
    tone = TONES.get(state, Tone.FAINT)
    return [bar_line(row, room, paint), paint(numbers or cut(GAP.join(details(row)[-1]), room), tone)]


def bar_line(row: Row, room: int, paint: Paint) -> str:
    """The name gets what the bar does not need; where both do not fit, only the name and a number are left."""
    name, done = plain(str(row.get("ref") or "")), percent(row)
    free = room - len(done) - 2 * len(GAP)
    wanted = min(cells(name), max(LEAST_NAME, free - WIDEST_BAR, free // 2))
    bar = min(WIDEST_BAR, free - wanted)
    if bar < LEAST_BAR:
        return GAP.join([shortened(name, max(0, room - len(done) - len(GAP))), done])
    return GAP.join([padded(name, wanted), bar_of(share(row), bar, paint), done])


def bar_of(part: float | None, width: int, paint: Paint) -> str:
    filled = math.floor((part or 0) * width)
    return paint(DONE * filled, Tone.GOOD) + paint(AHEAD * (width - filled), Tone.FAINT)


def share(row: Row) -> float | None:
    """From 0 to 1; None where nobody knows how much there is."""
    total, done = row.get("total"), row.get("done") or 0
    return max(0.0, min(1.0, done / total)) if total else None


def percent(row: Row) -> str:
    """Rounded down: 100 % is all of it. As wide at the start as at the end."""
    part = share(row)
    return f"{'' if part is None else f'{math.floor(part * 100)} %':>5}"


def details(row: Row) -> list[list[str]]:
    """The numbers, in ever shorter versions. The last is never left out."""
    state = str(row.get("state") or "")
    amount = amount_of(row)
    if state != "active":
        error = plain(str(row.get("error") or ""))
        return [[part for part in (state, amount, error) if part], [state]]
    if note := plain(str(row.get("note") or "")):
        return [[amount, note], [amount, "waiting"], [amount]]
    speed = row.get("rate")
    moving = [amount, *([] if speed is None else [rate(speed)])]
    left, sources = time_left(row), sources_of(row)
    versions = [
        [*moving, left and f"{left} left", sources],
        [*moving, left, sources],
        [*moving, left],
        moving,
        [amount],
    ]
    return [[part for part in version if part] for version in versions]


def amount_of(row: Row) -> str:
    """`1.2 of 4.1 GB`."""
    done, total = size(row.get("done") or 0), row.get("total")
    if not total:
        return done
    whole = size(total)
    count, _, unit = done.partition(" ")
    return f"{count if whole.endswith(f' {unit}') else done} of {whole}"


def time_left(row: Row) -> str:
    eta = row.get("eta")
    return span(eta) if eta is not None and math.isfinite(eta) and eta >= 0 else ""


def sources_of(row: Row) -> str:
    """`hub 62 % · loft 38 %`, most first. The parts make 100 in sum: what rounding leaves is the first one's."""
    told: dict[str, int] = row.get("by_source") or {}
    given = {name: count for name, count in told.items() if count > 0}
    whole = sum(given.values())
    ranked = sorted(given, key=lambda name: (-given[name], name))
    parts = {name: given[name] * 100 // whole for name in ranked}
    if ranked:
        parts[ranked[0]] += 100 - sum(parts.values())
    return " · ".join(f"{plain(name)} {parts[name]} %" for name in ranked)
