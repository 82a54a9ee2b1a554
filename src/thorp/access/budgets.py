"""How often a key may ask. A bucket per key that fills evenly over the minute."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import BusyError

MINUTE: Final = 60.0
MOST_BUCKETS: Final = 2_048  # more than there can be live keys, so that nobody is forgotten early


class RateLimitedError(BusyError):
    """A key that asked more often than it may."""

    code = "access.rate_limited"


@dataclass(frozen=True, slots=True)
class Bucket:
    tokens: float
    at: float  # monotonic


def filled(bucket: Bucket, rpm: int, now: float) -> Bucket:
    """The bucket as it stands at `now`."""
    return Bucket(min(float(rpm), bucket.tokens + max(0.0, now - bucket.at) * rpm / MINUTE), now)


def wait_for_one(bucket: Bucket, rpm: int) -> float:
    """Seconds until one request fits; 0 when it fits now."""
    return max(0.0, 1.0 - bucket.tokens) * MINUTE / rpm


class RequestBudgets:
    def __init__(self, clock: Clock, room: int = MOST_BUCKETS) -> None:
        self._clock = clock
        self._room = room
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def spend(self, key_id: str, rpm: int) -> None:
        """Count one request, or refuse it."""
        now = self._clock.monotonic()
        bucket = filled(self._buckets.get(key_id, Bucket(float(rpm), now)), rpm, now)
        wait = wait_for_one(bucket, rpm)
        self._keep(key_id, bucket if wait else Bucket(bucket.tokens - 1.0, now))
        if wait:
            raise RateLimitedError(
                f"The key {key_id} may ask {rpm} times a minute and did. Try again in {math.ceil(wait)} s.",
                retry_after=wait,
                rpm=rpm,
            )

    def _keep(self, key_id: str, bucket: Bucket) -> None:
        self._buckets[key_id] = bucket
        self._buckets.move_to_end(key_id)
        if len(self._buckets) > self._room:
            self._buckets.popitem(last=False)
