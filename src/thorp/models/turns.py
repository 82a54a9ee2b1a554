"""Whose turn it is, of several sources of one file: who fails goes to the end, who refuses is not asked again.

Several threads ask at once. Pure but for its lock.
"""

import threading
from collections.abc import Sequence

from thorp.base.errors import ThorpError
from thorp.models.ports import ByteSource


class Turns:
    """The sources of one fetch, the one to ask now at the front."""

    def __init__(self, sources: Sequence[ByteSource]) -> None:
        self._given = tuple(sources)
        self._order = list(sources)
        self._tired: set[ByteSource] = set()  # failed, and have given nothing since
        self._refusals: dict[ByteSource, ThorpError] = {}
        self._gave: set[ByteSource] = set()
        self._lock = threading.Lock()

    @property
    def gave(self) -> frozenset[ByteSource]:
        with self._lock:
            return frozenset(self._gave)

    def first(self) -> ByteSource:
        """Whom to ask. When nobody is left: the refusal of the one who stood last at the beginning, mostly the hub."""
        with self._lock:
            if self._order:
                return self._order[0]
            raise self._refusals[self._given[-1]]

    def failed(self, source: ByteSource) -> bool:
        """Let the others go first. True: one of them has not failed, and can be asked at once."""
        with self._lock:
            if source in self._order:
                self._order.remove(source)
                self._order.append(source)
            self._tired.add(source)
            return bool(set(self._order) - self._tired)

    def refused(self, source: ByteSource, error: ThorpError) -> None:
        """It does not have the bytes, or not these."""
        with self._lock:
            if source in self._order:
                self._order.remove(source)
            self._refusals[source] = error

    def came(self, source: ByteSource) -> None:
        """It sends bytes."""
        with self._lock:
            self._gave.add(source)
            self._tired.discard(source)
