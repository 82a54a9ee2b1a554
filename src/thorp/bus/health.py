"""How well an offer has been doing, and when it needs a rest. Pure: time comes in as a number."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 10
FAULTS_TO_REST: Final = 5
FIRST_REST: Final = 5.0
LONGEST_REST: Final = 300.0


def recent() -> deque[bool]:
    return deque(maxlen=WINDOW)


@dataclass(slots=True)
class Health:
    """The last outcomes of one offer; True is a good one."""

    outcomes: deque[bool] = field(default_factory=recent)
    rests: int = 0
    resting_until: float = 0.0
    trying: bool = False

    def rest_left(self, now: float) -> float:
        """Seconds until the next call may try; 0 when it may now."""
        if self.rests == 0:
            return 0.0
        if now < self.resting_until:
            return self.resting_until - now
        return FIRST_REST if self.trying else 0.0

    def begin(self) -> None:
        """After a rest exactly one call tries whether things are better."""
        self.trying = self.rests > 0

    def good(self) -> None:
        self.outcomes.append(True)
        self.trying = False
        self.rests = 0

    def neither(self) -> None:
        """The call ended for a reason that says nothing about the handler."""
        self.trying = False

    def bad(self, now: float) -> None:
        self.outcomes.append(False)
        if self.trying or self.outcomes.count(False) >= FAULTS_TO_REST:
            self.resting_until = now + min(LONGEST_REST, FIRST_REST * 2**self.rests)
            self.rests = min(self.rests + 1, 16)
            self.outcomes.clear()
        self.trying = False
