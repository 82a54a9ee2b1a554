"""Time and chance as ports, so that a test can hold both in its hand."""

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    def wall(self) -> float:
        """Seconds since 1970 as the machine believes. Shown to people; decides nothing between machines."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; never goes backwards."""
        ...


class Randomness(Protocol):
    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes, fit for secrets."""
        ...

    def below(self, limit: int) -> int:
        """A whole number from 0 up to but not including `limit`."""
        ...


class SystemClock:
    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SystemRandomness:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        return secrets.randbelow(limit)
