"""Power cuts in work on the real disk: it ends at its first, second, third … change of a name, until it gets through.

What was changed before stays; nothing is changed after, not even by what cleans up.
"""

import sys
import threading
from collections.abc import Callable, Generator
from typing import Final

from thorp.testing.faults import MOST_TRIALS, PowerCutError

CHANGES: Final = frozenset(
    {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "sqlite3.connect"}
)


class Cuts:
    """Counts changes of this thread while it is armed."""

    def __init__(self) -> None:
        self._left = 0
        self._thread = 0
        self._gone = False

    def __call__(self, event: str, _args: tuple[object, ...]) -> None:
        if self._thread != threading.get_ident() or event not in CHANGES:
            return
        self._left -= 1
        self._gone = self._gone or self._left < 0
        if self._gone:
            raise PowerCutError

    def through(self, work: Callable[[], object], allowed: int) -> bool:
        """Whether the work got through with so many changes."""
        self._left, self._gone, self._thread = allowed, False, threading.get_ident()
        try:
            work()
        except PowerCutError:
            return False
        finally:
            self._thread = 0
        return not self._gone


_CUTS: Final = Cuts()
sys.addaudithook(_CUTS)


def every_cut() -> Generator[Callable[[Callable[[], object]], bool]]:
    """Trials of one piece of work: each is cut one change later, and the last one gets through."""
    for allowed in range(MOST_TRIALS):
        through: list[bool] = []

        def trial(work: Callable[[], object], allowed: int = allowed, through: list[bool] = through) -> bool:
            through.append(_CUTS.through(work, allowed))
            return through[-1]

        yield trial
        if not through:
            raise RuntimeError("every_cut() needs a trial that does its work")
        if through[-1]:
            return
    raise RuntimeError(f"the work is not through after {MOST_TRIALS} changes: it never ends")
