"""One transfer while this process carries it: how far it is, and the wishes that reach it from elsewhere."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import ThorpError
from thorp.base.moments import rfc3339
from thorp.models.budget import Budget
from thorp.models.pull import Standing
from thorp.models.records import Record, RecordBook, State

log = logging.getLogger(__name__)
WEIGHT: Final = 0.3  # of the newest measurement in the rate that is shown
PAUSE: Final = "pause"
CANCEL: Final = "cancel"
CANCEL_KEEPING: Final = "cancel keeping"
LEAVE: Final = "leave"  # the process ends; whoever comes next goes on


class Carrier:
    """`told` is called with each new record, in the transfer's own thread."""

    def __init__(self, record: Record, book: RecordBook, clock: Clock, told: Callable[[Record], None]) -> None:
        self.record = record
        self.stop = threading.Event()
        self.why = ""  # of the stop
        self.own_limit = Budget(clock, record.limit)
        self._book = book
        self._clock = clock
        self._told = told
        self._seen = (clock.monotonic(), record.done)
        self._lock = threading.Lock()

    def end(self, why: str) -> None:
        """Ask it to end. The first reason counts."""
        with self._lock:
            self.why = self.why or why
        self.stop.set()

    def limit(self, rate: int) -> None:
        self.own_limit.set(rate)
        self.change(limit=rate)

    def change(self, **changes: object) -> Record:
        """A step that matters: on disk when this returns."""
        with self._lock:
            changed = self.record.now(**changes, updated=rfc3339(self._clock.wall()))
            self._book.write(changed)
            self.record = changed  # which anybody may see from here on
        self._told(self.record)
        return self.record

    def progress(self, standing: Standing) -> None:
        """How far it is, a few times a second; and a look at what others wish of it."""
        self.heed()
        now = self._clock.monotonic()
        with self._lock:
            rate = self._rate(now, standing.done)
            left = standing.total - standing.done
            self.record = self.record.now(
                state=State.VERIFYING if standing.verifying else State.ACTIVE,
                done=standing.done,
                total=standing.total,
                by_source=dict(standing.by_source),
                note=standing.note,
                pieces=standing.pieces,
                rate=rate,
                eta=round(left / rate, 1) if rate and not standing.note else None,
                updated=rfc3339(self._clock.wall()),
            )
            try:
                self._book.note(self.record)
            except ThorpError as error:  # no reason to end: what is fetched lies elsewhere
                log.warning("how far transfer %s is cannot be noted: %s", self.record.id, error.message)
        self._told(self.record)

    def heed(self) -> None:
        """Look at what others wish."""
        if (wish := self._book.take_wish(self.record.id)) in (PAUSE, CANCEL, CANCEL_KEEPING):
            self.end(wish)
        if (rate := self._book.take_limit(self.record.id)) is not None:
            self.limit(rate)

    def _rate(self, now: float, done: int) -> int:
        since, before = self._seen
        if now <= since:
            return self.record.rate
        self._seen = (now, done)
        newest = max(0, done - before) / (now - since)
        return int(newest if not self.record.rate else WEIGHT * newest + (1 - WEIGHT) * self.record.rate)
