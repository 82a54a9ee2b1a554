"""Time and chance that a test holds in its hand."""

import hashlib


class FakeClock:
    """Stands still until told otherwise."""

    def __init__(self, wall: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds

    def set_wall(self, seconds: float) -> None:
        """The machine's clock jumps; monotonic time does not."""
        self._wall = seconds


class FakeRandomness:
    """The same unpredictable-looking bytes for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def bytes(self, count: int) -> bytes:
        made = b""
        while len(made) < count:
            made += hashlib.sha256(f"{self._seed}/{self._drawn}".encode()).digest()
            self._drawn += 1
        return made[:count]

    def below(self, limit: int) -> int:
        return int.from_bytes(self.bytes(16), "big") % limit
