"""How many bytes a second may come in: one bucket for all transfers, and one for each that has a limit of its own."""

import threading
from collections.abc import Sequence
from typing import Final

from thorp.base.clock import Clock
from thorp.models.ports import Stop

SMALLEST: Final = 16 * 1024  # bytes taken at once under a limit: fewer would only burn processor time
SLICES: Final = 10  # a second, so that a limited transfer flows and does not come in gusts
LOOK_AGAIN: Final = 0.5  # seconds, at most, until who waits notices another limit


class Budget:
    """A bucket that fills at `rate` bytes a second; 0 is no limit. It may be changed at any time, by any thread."""

    def __init__(self, clock: Clock, rate: int = 0) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = rate
        self._owed_until = clock.monotonic()  # when everything that was taken will have been paid for

    @property
    def rate(self) -> int:
        return self._rate

    def set(self, rate: int) -> None:
        with self._lock:
            self._rate = rate
            self._owed_until = self._clock.monotonic()

    def allowed(self, wanted: int) -> int:
        """How many bytes may be asked for at once."""
        rate = self._rate
        return wanted if rate == 0 else max(1, min(wanted, max(SMALLEST, rate // SLICES)))

    def pay(self, count: int) -> float:
        """Take what has come; answers how many seconds to wait before asking for more."""
        with self._lock:
            now = self._clock.monotonic()
            if self._rate == 0:
                self._owed_until = now
                return 0.0
            self._owed_until = max(self._owed_until, now) + count / self._rate
            return self._owed_until - now

    def owed(self) -> float:
        """How many seconds are still to wait; none as soon as the rate is another one."""
        with self._lock:
            return self._owed_until - self._clock.monotonic()


def strictest(budgets: Sequence[Budget]) -> int:
    """The lowest limit of all; 0: there is none."""
    return min((one.rate for one in budgets if one.rate), default=0)


def allowed(budgets: Sequence[Budget], wanted: int) -> int:
    """How many bytes all of them let through at once."""
    for one in budgets:
        wanted = one.allowed(wanted)
    return wanted


def pay(budgets: Sequence[Budget], count: int, stop: Stop) -> None:
    """Take from all of them, and wait as long as the strictest wants; a rate that changes meanwhile counts at once."""
    seconds = max((one.pay(count) for one in budgets), default=0.0)
    while seconds > 0 and not stop.wait(min(seconds, LOOK_AGAIN)):
        seconds = max(one.owed() for one in budgets)
