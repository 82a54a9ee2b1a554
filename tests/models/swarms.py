"""Household engines on addresses of loopback as neighbours of one partial, and engines that only say so."""

import hashlib
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from thorp.models.fetching import Pace
from thorp.models.hashing import Hashes
from thorp.models.partial import BLOCK, Partial, read_note
from thorp.models.swarming import Download, SwarmFetch, Swarming
from thorp.models.types import SourceKind, Wanted
from thorp.swarm.download import Standing
from thorp.swarm.engine import Engine
from thorp.swarm.profile import household
from thorp.swarm.recipes import PIECE, household_torrent
from thorp.swarm.torrents import ReadTorrent, parse_torrent
from thorp.testing.gguf import random_bytes
from thorp.testing.library import piece_hashes
from thorp.testing.sources import FakeSource, wanted_of

HERE = "127.0.0.3"
PACE = Pace(ranges=2, pauses=(0.01,) * 3, mix="never")
CARD = {"format": "gguf", "model_id": "m", "revision": "r", "source": "hub"}
HUB_KIND = SourceKind.HUB
CAME = random_bytes(1, "swarmed", BLOCK)


def some_bytes(mebibytes: int) -> bytes:
    """No two mebibytes are the same, and the last one is a short one."""
    whole = b"".join(number.to_bytes(8, "big") + CAME[8:] for number in range(mebibytes))
    return whole[:-5]


def spoiled(data: bytes) -> bytes:
    """Of the same length, and wrong in every piece."""
    parts = (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
    return b"".join(bytes([one[0] ^ 1]) + one[1:] for one in parts)


def torrent_for(data: bytes) -> bytes:
    return household_torrent("m.gguf", len(data), piece_hashes(data), card=CARD).content


def count_of(data: bytes) -> int:
    """How many pieces there are of it."""
    return -(-len(data) // PIECE)


DATA = some_bytes(49)
WRONG = spoiled(DATA)
SIZE, PIECES, EACH = len(DATA), 4, PIECE // BLOCK
RIGHT, LIE = torrent_for(DATA), torrent_for(WRONG)
SHORTER = torrent_for(DATA[:-1])
ALL = Pace(ranges=2, pauses=(0.01,) * 3, mix="always")
SOON = replace(ALL, mix="auto")


@dataclass(eq=False)
class Village:
    """An engine of ours, and others that members run."""

    top: Path
    here: Engine
    others: list[tuple[str, Engine]] = field(default_factory=list[tuple[str, Engine]])

    def neighbour(self, data: bytes, torrent: bytes, has: Collection[int] | None = None) -> Engine:
        """Another member that hands this out, or only these pieces, because it has no more of it yet."""
        address = f"127.0.0.{len(self.others) + 4}"
        at = self.top / address / "blob"
        at.parent.mkdir()
        at.write_bytes(data)
        engine = Engine(household((address,), 0))
        engine.open_to([HERE])
        engine.start()
        self.others.append((address, engine))
        if has is None:
            engine.seed(torrent, at)
        else:
            engine.fetch(torrent, at, [piece in has for piece in range(count_of(data))])
        self.here.open_to([one for one, _ in self.others])
        return engine

    def peers(self) -> tuple[tuple[str, int], ...]:
        return tuple((address, engine.port) for address, engine in self.others)


@contextmanager
def village(top: Path) -> Generator[Village]:
    here = Engine(household((HERE,), 0))
    here.start()
    made = Village(top, here)
    try:
        yield made
    finally:
        for engine in (here, *(engine for _, engine in made.others)):
            engine.stop()


@dataclass(eq=False)
class RealSwarm:
    """Satisfies `Swarm` with the engines of a village."""

    village: Village
    torrents: Sequence[bytes] = ()
    hidden: bool = False  # nobody is around
    step: Callable[[Standing], None] = lambda _standing: None  # at each look at a download
    hurry: bool = False  # its downloads wait for a moment where others wait for a tick: then time flies
    doubted: list[bytes] = field(default_factory=list[bytes])
    begun: list[list[bool]] = field(default_factory=list[list[bool]])  # what each download had
    in_order: list[bool] = field(default_factory=list[bool])
    limits: list[int] = field(default_factory=list[int])
    left_out: list[frozenset[int]] = field(default_factory=list[frozenset[int]])

    def torrents_for(self, wanted: Wanted) -> Iterator[bytes]:
        return (one for one in self.torrents if parse_torrent(one).infohash not in self.doubted)

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool], *, in_order: bool) -> Download:
        self.begun.append(list(have))
        self.in_order.append(in_order)
        return Watched(self.village.here.fetch(torrent, at, have, in_order=in_order), self)

    def peers(self) -> tuple[tuple[str, int], ...]:
        return () if self.hidden else self.village.peers()

    def doubt(self, infohash: bytes) -> None:
        self.doubted.append(infohash)


@dataclass(eq=False)
class Watched:
    """A real download that lets a test look on, and wait less."""

    real: Download
    swarm: RealSwarm

    def add_peers(self, peers: Sequence[tuple[str, int]]) -> None:
        self.real.add_peers(peers)

    def limit(self, rate: int) -> None:
        self.swarm.limits.append(rate)
        self.real.limit(rate)

    def give(self, piece: int, data: bytes) -> None:
        self.real.give(piece, data)

    def leave_out(self, pieces: Collection[int]) -> None:
        self.swarm.left_out.append(frozenset(pieces))
        self.real.leave_out(pieces)

    def prefer(self, pieces: Collection[int]) -> None:
        self.real.prefer(pieces)

    def standing(self) -> Standing:
        found = self.real.standing()
        self.swarm.step(found)
        return found

    def wait(self, seconds: float) -> None:
        self.real.wait(seconds / 50 if self.swarm.hurry else seconds)

    def close(self) -> bytes:
        return self.real.close()


@dataclass(eq=False)
class ScriptedDownload:
    """Satisfies `Download` in memory: a standing for each look, the last one again and again."""

    looks: list[Standing]
    final: bytes | Exception = b""
    refuses: Exception | None = None  # what `give` fails with
    peers: list[tuple[tuple[str, int], ...]] = field(default_factory=list[tuple[tuple[str, int], ...]])
    limits: list[int] = field(default_factory=list[int])
    given: dict[int, bytes] = field(default_factory=dict[int, bytes])
    waited: float = 0.0
    closed: int = 0
    came: threading.Event = field(default_factory=threading.Event)  # a piece was given

    def add_peers(self, peers: Sequence[tuple[str, int]]) -> None:
        self.peers.append(tuple(peers))

    def limit(self, rate: int) -> None:
        self.limits.append(rate)

    def give(self, piece: int, data: bytes) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.given[piece] = data
        self.came.set()

    def leave_out(self, pieces: Collection[int]) -> None:
        """Its peers send nothing anyway."""

    def prefer(self, pieces: Collection[int]) -> None:
        """Neither in this order."""

    def standing(self) -> Standing:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.came.wait(0.001)

    def close(self) -> bytes:
        self.closed += 1
        if isinstance(self.final, Exception):
            raise self.final
        return self.final


@dataclass(eq=False)
class ScriptedSwarm:
    """Satisfies `Swarm` with one download, or with none."""

    download: ScriptedDownload | Exception
    torrents: Sequence[bytes] = ()
    around: tuple[tuple[str, int], ...] = (("127.0.0.9", 1),)
    doubted: list[bytes] = field(default_factory=list[bytes])

    def torrents_for(self, wanted: Wanted) -> Iterator[bytes]:
        return iter(self.torrents)

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool], *, in_order: bool) -> Download:
        if isinstance(self.download, Exception):
            raise self.download
        return self.download

    def peers(self) -> tuple[tuple[str, int], ...]:
        return self.around

    def doubt(self, infohash: bytes) -> None:
        self.doubted.append(infohash)


def standing_of(have: Sequence[int], **more: object) -> Standing:
    quiet = Standing(
        checking=False,
        finished=all(have),
        done=sum(have) * PIECE,
        have=bytes(have),
        wanted=frozenset(),
        peers=(),
        error="",
        errno=0,
        rejected=frozenset(),
        banned=frozenset(),
    )
    return replace(quiet, **more)  # pyright: ignore[reportArgumentType]


@dataclass(eq=False)
class Case:
    """One file on its way, in a home of the test."""

    top: Path
    data: bytes
    torrent: bytes
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        return self.top / "models--o--r/.thorp/partial/x"

    @property
    def wanted(self) -> Wanted:
        return wanted_of(self.data)

    @property
    def read(self) -> ReadTorrent:
        return parse_torrent(self.torrent)

    @contextmanager
    def partial(self, here: Collection[int] = ()) -> Generator[Partial]:
        """Open; blocks of these numbers are here already, from the hub."""
        partial = Partial.held(self.folder, len(self.data))
        assert partial is not None
        partial.open()
        try:
            for block in here:
                self.put(partial, block)
            yield partial
        finally:
            partial.release()

    def put(self, partial: Partial, block: int, data: bytes | None = None) -> None:
        part = (self.data if data is None else data)[block * BLOCK : (block + 1) * BLOCK]
        partial.write(memoryview(part), block * BLOCK)
        partial.came(HUB_KIND, block * BLOCK, block * BLOCK + len(part), len(part))

    def fetch(
        self, partial: Partial, swarm: RealSwarm | ScriptedSwarm, *helpers: FakeSource, pace: Pace = PACE
    ) -> SwarmFetch:
        return SwarmFetch(Swarming(self.wanted, partial, swarm, self.read, helpers, pace, self.stop))

    def fetched(
        self, partial: Partial, swarm: RealSwarm | ScriptedSwarm, *helpers: FakeSource, pace: Pace = PACE
    ) -> Hashes | None:
        return self.fetch(partial, swarm, *helpers, pace=pace).run(lambda: None)


def hashes_of(data: bytes) -> Hashes:
    return Hashes(hashlib.sha256(data).hexdigest(), "", piece_hashes(data), len(data))


def blocks_of(*pieces: int) -> tuple[int, ...]:
    return tuple(block for piece in pieces for block in range(piece * EACH, min(49, (piece + 1) * EACH)))


def note_of(case: Case) -> dict[str, object]:
    return read_note(case.folder) or {}


def count_here(here: object) -> int:
    assert isinstance(here, list)
    return sum(end - first for first, end in here)


def here_and_right(case: Case) -> int:
    """How many blocks a clean note says are here; every one of them has the right bytes."""
    note, data = note_of(case), (case.folder / "data").read_bytes()
    assert note["in_engine"] is False
    spans = note["here"]
    assert isinstance(spans, list)
    for first, end in spans:
        assert data[first * BLOCK : end * BLOCK] == case.data[first * BLOCK : end * BLOCK]
    return count_here(spans)


def when_any(act: Callable[[], object]) -> Callable[[Standing], None]:
    """Act at a look at which a piece is here."""

    def step(standing: Standing) -> None:
        if any(standing.have):
            act()

    return step


def claiming(final: bytes | Exception) -> ScriptedDownload:
    """An engine that says it has pieces of which it wrote nothing, and then fails."""
    has = [1, 1] + [0] * (PIECES - 2)
    return ScriptedDownload([standing_of(has), standing_of(has, error="broken")], final)
