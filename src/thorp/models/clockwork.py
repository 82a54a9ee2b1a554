"""Whether enough comes, counted in ticks: a machine that slept has not waited. Pure."""

from dataclasses import dataclass
from typing import Final

from thorp.models.budget import SMALLEST

WITHOUT_PROGRESS: Final = 5.0  # seconds after which others are asked, too
ENOUGH: Final = 1024 * 1024  # bytes that have to come in that time: fewer keep nobody from helping
SHARE: Final = 4  # of what a limit lets through: others are under the same limit


@dataclass(eq=False, slots=True)
class Clockwork:
    """For how long too little has come. Bytes that are taken back, and a trickle, are no progress."""

    quiet: float = 0.0
    _mark: int | None = None  # bytes when there was progress last

    def tick(self, done: int, seconds: float, floor: int = 1) -> float:
        if self._mark is None or done - self._mark >= floor:
            self.quiet, self._mark = 0.0, done
        else:
            self.quiet, self._mark = self.quiet + seconds, min(self._mark, done)
        return self.quiet


def enough(rate: int) -> int:
    """How many bytes are progress under a limit of so many a second; 0 is no limit."""
    return ENOUGH if rate == 0 else max(1, min(ENOUGH, int(rate * WITHOUT_PROGRESS / SHARE)))


def patience(rate: int) -> float:
    """Seconds to wait for progress: a limit may be so low that the least that comes at once takes a while."""
    return WITHOUT_PROGRESS + (SMALLEST / rate if rate else 0.0)
