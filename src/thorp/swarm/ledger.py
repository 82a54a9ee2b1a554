"""What is known of each torrent in an engine, kept by one thread and waited for by others."""

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition

from thorp.swarm.events import (
    Broken,
    Checked,
    Counted,
    Distrusted,
    Event,
    Finished,
    Flushed,
    Listening,
    Missed,
    NotListening,
    PeerBanned,
    PieceDone,
    PieceRefused,
    Removed,
)


@dataclass(slots=True)
class Ledger:
    """Of one torrent. Only its board writes here."""

    news: int = 0  # how often something happened
    checked: bool = False
    finished: bool = False
    removed: bool = False
    flushed: int = 0
    error: str = ""
    number: int = 0
    distrusted: str = ""
    given: set[int] = field(default_factory=set[int])  # pieces from elsewhere that were not judged yet
    rejected: set[int] = field(default_factory=set[int])
    banned: set[str] = field(default_factory=set[str])

    @property
    def is_judged(self) -> bool:
        """Whether it is known what lies on the disk, or that it is not to be used."""
        return self.checked or bool(self.error or self.distrusted)

    def note(self, event: Event) -> None:
        self.news += not isinstance(event, PieceDone)  # progress: who looks now and then sees it soon enough
        match event:
            case Checked():
                self.checked = True
            case Finished():
                self.finished = True
            case Removed():
                self.removed = True
            case Flushed():
                self.flushed += 1
            case Distrusted():
                self.distrusted = event.why
            case Broken():
                self.error, self.number = event.why, event.number
            case PeerBanned():
                self.banned.add(event.address)
            case PieceDone():
                self.given.discard(event.piece)
                self.rejected.discard(event.piece)
            case PieceRefused():
                self._refused(event.piece)
            case _:
                pass

    def _refused(self, piece: int) -> None:
        if piece in self.given:  # otherwise it came from a peer, who is banned for it
            self.given.discard(piece)
            self.rejected.add(piece)


class Board:
    """All ledgers of one engine, and the one condition that tells about them."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._ledgers: dict[bytes, Ledger] = {}
        self._listening: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._counts = 0
        self._counted = Counted(0, 0, 0)

    def open(self, infohash: bytes) -> Ledger:
        with self._changed:
            ledger = self._ledgers[infohash] = Ledger()
            return ledger

    def close(self, infohash: bytes) -> None:
        with self._changed:
            self._ledgers.pop(infohash, None)
            self._changed.notify_all()

    def note(self, event: Event) -> None:
        with self._changed:
            match event:
                case Listening():
                    self._listening[event.address] = event.port
                case NotListening():
                    self._refused[event.address] = event.why
                case Counted():
                    self._counted, self._counts = event, self._counts + 1
                case Missed():
                    for ledger in self._ledgers.values():
                        ledger.news += 1
                case _:
                    if ledger := self._ledgers.get(event.infohash):
                        ledger.note(event)
            self._changed.notify_all()

    @contextmanager
    def held(self) -> Generator[None]:
        """Nothing is written while this is open."""
        with self._changed:
            yield

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true in time."""
        with self._changed:
            return self._changed.wait_for(until, seconds)

    def forget_listening(self, *, but: Collection[str] = ()) -> None:
        """Of all addresses but those that stay as they are."""
        with self._changed:
            self._listening = {one: port for one, port in self._listening.items() if one in but}
            self._refused.clear()

    def listening(self, address: str) -> int | None:
        return self._listening.get(address)

    def refusal(self, address: str) -> str | None:
        return self._refused.get(address)

    def counts(self) -> int:
        """How often the engine has counted."""
        return self._counts

    def counted(self) -> Counted:
        return self._counted
