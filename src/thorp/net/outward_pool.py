"""Connections that wait for their next request; few of them, and none for long."""

import threading
from typing import Final

from thorp.base.clock import Clock
from thorp.net.egress import Origin
from thorp.net.outward_line import PinnedConnection

MOST_FOR_ONE: Final = 16
MOST: Final = 64
LONGEST_IDLE: Final = 20.0  # seconds; most servers wait longer


class Pool:
    """Kept by scheme, host, port and address, so a changed answer of the resolver never meets an old one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[PinnedConnection] = []  # the newest last
        self._closed = False

    def take(self, origin: Origin, addresses: tuple[str, ...]) -> PinnedConnection | None:
        """A connection that still looks good."""
        while (found := self._pop(origin, addresses)) is not None:
            if self._clock.monotonic() - found.idle_since < LONGEST_IDLE and found.line.quiet():
                return found
            found.hang_up()
        return None

    def give(self, connection: PinnedConnection) -> None:
        connection.idle_since = self._clock.monotonic()
        with self._lock:
            crowded = sum(_same(one, connection.origin, (connection.address,)) for one in self._idle) >= MOST_FOR_ONE
            if not (crowded or self._closed):
                self._idle.append(connection)
            surplus = [connection] if crowded or self._closed else self._idle[:-MOST]
            self._idle = self._idle[-MOST:]
        for one in surplus:
            one.hang_up()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            waiting, self._idle = self._idle, []
        for one in waiting:
            one.hang_up()

    def _pop(self, origin: Origin, addresses: tuple[str, ...]) -> PinnedConnection | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if _same(self._idle[index], origin, addresses):
                    return self._idle.pop(index)
        return None


def _same(connection: PinnedConnection, origin: Origin, addresses: tuple[str, ...]) -> bool:
    return connection.origin == origin and connection.address in addresses
