"""What is handed out follows the library; what may be fetched follows what most neighbours have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour, around, receipt_of, sealed_as
from tests.models.swarms import CARD, Case, RealSwarm, ScriptedDownload, some_bytes, torrent_for, village
from thorp.base.errors import ConflictError
from thorp.models.household_swarm import MOST_DOUBTED, MOST_TORRENTS, Engine, EngineGoneError, HouseholdSwarm
from thorp.models.layout import digest_of
from thorp.models.remove import remove
from thorp.models.shared import NotSharedError, Shared, keep_back
from thorp.models.swarming import Download
from thorp.models.types import Offered, RemoteFile, Wanted
from thorp.swarm.engine import Engine as RealEngine
from thorp.swarm.profile import household
from thorp.swarm.recipes import household_torrent
from thorp.testing.clock import FakeClock
from thorp.testing.library import piece_hashes
from thorp.testing.neighbours import FakeNeighbour, FakeNeighbours

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


@dataclass(eq=False)
class FakeEngine:
    """Satisfies `Engine`: remembers what it was told. Some torrents it does not take."""

    refuses: Sequence[bytes] = ()
    handed: dict[bytes, tuple[bytes, Path]] = field(default_factory=dict[bytes, tuple[bytes, Path]])
    told: list[str] = field(default_factory=list[str])
    fetched: list[tuple[bytes, Path, Sequence[bool] | None, bool]] = field(default_factory=list)

    def seed(self, torrent: bytes, at: Path) -> None:
        if torrent in self.refuses:
            raise ConflictError("It is just coming in.")
        infohash = digest_of(torrent.decode())
        self.handed[infohash] = (torrent, at)
        self.told.append(f"seed {infohash.hex()[0]}")

    def unseed(self, infohash: bytes) -> None:
        del self.handed[infohash]
        self.told.append(f"unseed {infohash.hex()[0]}")

    def seeds(self) -> frozenset[bytes]:
        return frozenset(self.handed)

    def fetch(self, torrent: bytes, at: Path, have: Sequence[bool] | None, *, in_order: bool = False) -> Download:
        self.fetched.append((torrent, at, have, in_order))
        return ScriptedDownload([])


def swarm_of(
    engine: Engine | None, neighbours: FakeNeighbours | None = None, shared: Shared | None = None
) -> HouseholdSwarm:
    return HouseholdSwarm(
        lambda: engine,
        neighbours or around(),
        shared,
        lambda: (("127.0.0.9", 7),),
    )


def with_torrent(top: Path, name: str, infohash: str, **more: object) -> FakeNeighbour:
    """A neighbour that has the model under this infohash; its torrent is the infohash in letters."""
    neighbour = a_neighbour(top, name, {"m.gguf": b"weights" * 99}, **more)
    sealed_as(neighbour.shared.library, receipt_of(neighbour), infohash, infohash.encode())
    return neighbour


def wanted_from(neighbour: FakeNeighbour) -> Wanted:
    file = receipt_of(neighbour).files[0]
    return Wanted("org/m", "a" * 40, RemoteFile(file.path, file.size, file.sha256, file.sha256))


def test_the_torrent_that_most_neighbours_have_stands_first(tmp_path: Path) -> None:
    every = [with_torrent(tmp_path, f"n{at}", one) for at, one in enumerate((ONE, THREE, TWO, THREE, TWO, TWO))]
    swarm = swarm_of(FakeEngine(), around(*every))

    assert tuple(swarm.torrents_for(wanted_from(every[0]))) == tuple(one.encode() for one in (TWO, THREE, ONE))


def test_among_equals_all_nodes_choose_the_same(tmp_path: Path) -> None:
    every = [with_torrent(tmp_path, f"n{at}", one) for at, one in enumerate((TWO, ONE))]
    for order in (every, every[::-1]):
        assert next(swarm_of(FakeEngine(), around(*order)).torrents_for(wanted_from(every[0]))) == ONE.encode()


def test_a_doubted_torrent_is_not_offered_again_and_others_are(tmp_path: Path) -> None:
    every = [with_torrent(tmp_path, f"n{at}", one) for at, one in enumerate((ONE, TWO))]
    swarm = swarm_of(FakeEngine(), around(*every))
    swarm.doubt(digest_of(ONE))

    assert tuple(swarm.torrents_for(wanted_from(every[0]))) == (TWO.encode(),)


@dataclass(eq=False)
class Claiming(FakeNeighbours):
    """Neighbours that list whatever, and count what is asked of them."""

    offers: tuple[Offered, ...] = ()
    asked: list[str] = field(default_factory=list[str])

    def models(self) -> tuple[Offered, ...]:
        return self.offers

    def torrent(self, infohash: str) -> bytes | None:
        self.asked.append(infohash)
        return infohash.encode()


def claims(of: Offered, node: str, infohashes: Sequence[str]) -> Offered:
    files = tuple(replace(of.files[0], infohash=one) for one in infohashes)
    return replace(of, node=node, files=files)


def test_a_list_with_many_torrents_costs_few_and_those_one_by_one(tmp_path: Path) -> None:
    mia = with_torrent(tmp_path, "mia", ONE)
    offer = around(mia).models()[0]
    near = Claiming(offers=tuple(claims(offer, f"n{at}", [f"{at:040x}"]) for at in range(400)))
    found = swarm_of(FakeEngine(), near).torrents_for(wanted_from(mia))

    assert near.asked == []
    next(found)
    assert len(near.asked) == 1
    assert len(tuple(found)) == MOST_TORRENTS - 1
    assert len(near.asked) == MOST_TORRENTS


def test_who_lists_a_torrent_often_counts_once(tmp_path: Path) -> None:
    mia = with_torrent(tmp_path, "mia", ONE)
    one = around(mia).models()[0]
    near = Claiming(offers=(claims(one, "loud", [ONE] * 9), claims(one, "a", [TWO]), claims(one, "b", [TWO])))

    assert next(swarm_of(FakeEngine(), near).torrents_for(wanted_from(mia))) == TWO.encode()


def test_doubts_have_an_end(tmp_path: Path) -> None:
    mia = with_torrent(tmp_path, "mia", ONE)
    swarm = swarm_of(FakeEngine(), around(mia))
    swarm.doubt(digest_of(ONE))
    for number in range(MOST_DOUBTED - 1):
        swarm.doubt(number.to_bytes(20, "big"))
    assert tuple(swarm.torrents_for(wanted_from(mia))) == ()
    swarm.doubt(digest_of(TWO))
    assert tuple(swarm.torrents_for(wanted_from(mia))) == (ONE.encode(),)


@pytest.mark.parametrize(
    "changed",
    [
        lambda file: RemoteFile(file.path, file.size + 1, file.blob, file.sha256),
        lambda file: RemoteFile(file.path, file.size, "e" * 64, "e" * 64),
        lambda file: RemoteFile(file.path, file.size, "e" * 40, None),
    ],
    ids=["another length", "another hash", "no hash to go by"],
)
def test_only_torrents_of_the_very_same_bytes_count(
    tmp_path: Path, changed: Callable[[RemoteFile], RemoteFile]
) -> None:
    mia = with_torrent(tmp_path, "mia", ONE)
    wanted = wanted_from(mia)
    other = Wanted(wanted.repo, wanted.revision, changed(wanted.file))

    assert tuple(swarm_of(FakeEngine(), around(mia)).torrents_for(other)) == ()


def test_what_rides_no_torrent_and_what_nobody_gives_is_left_out(tmp_path: Path) -> None:
    plain = a_neighbour(tmp_path, "plain", {"m.gguf": b"weights" * 99})
    mia = with_torrent(tmp_path, "mia", ONE)
    mia.shared.library.layout.torrent(digest_of(ONE)).unlink()

    assert tuple(swarm_of(FakeEngine(), around(plain)).torrents_for(wanted_from(plain))) == ()


def test_without_an_engine_nothing_goes_this_way(tmp_path: Path) -> None:
    mia = with_torrent(tmp_path, "mia", ONE)
    swarm = swarm_of(None, around(mia), mia.shared)
    swarm.refresh()

    assert tuple(swarm.torrents_for(wanted_from(mia))) == ()
    assert swarm.handed() == frozenset()
    with pytest.raises(EngineGoneError):
        swarm.fetch(b"", tmp_path, [], in_order=False)


def test_a_download_is_the_engines_and_peers_are_who_is_around(tmp_path: Path) -> None:
    engine = FakeEngine()
    swarm = swarm_of(engine)
    swarm.fetch(b"t", tmp_path / "data", [True, False], in_order=True)

    assert engine.fetched == [(b"t", tmp_path / "data", [True, False], True)]
    assert swarm.peers() == (("127.0.0.9", 7),)


def test_what_is_handed_out_follows_the_library_and_its_owner(tmp_path: Path) -> None:
    me = with_torrent(tmp_path, "me", ONE)
    library, receipt = me.shared.library, receipt_of(me)
    stale = FakeEngine(handed={digest_of(TWO): (b"", tmp_path)})
    swarm = swarm_of(stale, shared=me.shared)
    swarm.refresh()
    swarm.refresh()

    at = library.cache.find(receipt.repo, receipt.revision, receipt.files[0])
    assert stale.handed == {digest_of(ONE): (ONE.encode(), at)}
    assert stale.told == ["unseed 2", "seed 1"], "the second look changes nothing"
    assert swarm.handed() == {digest_of(ONE)}

    keep_back(library, receipt, kept=True)
    swarm.refresh()
    assert (stale.handed, swarm.handed()) == ({}, frozenset())


def test_one_that_cannot_be_handed_out_keeps_none_of_the_others(tmp_path: Path) -> None:
    me = a_neighbour(tmp_path, "me", {"m.gguf": b"weights" * 99})
    a_neighbour(tmp_path, "me", {"m.gguf": b"other weights" * 99}, "org/other", model_id="tiny:2b:base:q4_k_m")
    library = me.shared.library
    for receipt, infohash in zip(library.receipts(), (ONE, TWO), strict=True):
        sealed_as(library, receipt, infohash, infohash.encode())
    for refused, taken in ((ONE, TWO), (TWO, ONE)):
        engine = FakeEngine(refuses=[refused.encode()])
        swarm_of(engine, shared=Shared(library, FakeClock(), lambda: True)).refresh()
        assert engine.seeds() == {digest_of(taken)}


def test_a_file_that_has_just_come_is_handed_out_at_once(tmp_path: Path) -> None:
    """However lately somebody looked at what there was before."""
    me = a_neighbour(tmp_path, "me", {"m.gguf": b"weights" * 99})
    engine = FakeEngine()
    swarm = swarm_of(engine, shared=me.shared)
    with pytest.raises(NotSharedError):
        me.shared.torrent(ONE)
    sealed_as(me.shared.library, receipt_of(me), ONE, ONE.encode())
    swarm.refresh()

    assert engine.seeds() == {digest_of(ONE)}


def test_where_the_same_bytes_lie_elsewhere_they_are_handed_out_from_there(tmp_path: Path) -> None:
    me = a_neighbour(tmp_path, "me", {"m.gguf": b"weights" * 99})
    a_neighbour(tmp_path, "me", {"m.gguf": b"weights" * 99}, "org/other")
    library = me.shared.library
    receipts = [sealed_as(library, one, ONE, ONE.encode()) for one in library.receipts()]
    engine = FakeEngine()
    swarm = swarm_of(engine, shared=me.shared)
    swarm.refresh()
    ((_, at),) = engine.handed.values()
    gone, left = sorted(receipts, key=lambda one: one.repo.replace("/", "--") not in str(at))
    remove(library, gone)
    swarm.refresh()

    ((_, at),) = engine.handed.values()
    assert at == library.cache.find(left.repo, left.revision, left.files[0])
    assert at.is_file()


def test_a_real_engine_hands_out_a_file_of_the_library_and_takes_it_back(tmp_path: Path) -> None:
    data = some_bytes(2)
    sealed = household_torrent("m.gguf", len(data), piece_hashes(data), card=CARD)
    me = a_neighbour(tmp_path, "me", {"m.gguf": data})
    sealed_as(me.shared.library, receipt_of(me), sealed.infohash.hex(), sealed.content)
    engine = RealEngine(household(("127.0.0.4",), 0))
    engine.start()
    engine.open_to(["127.0.0.3"])
    swarm = swarm_of(engine, shared=me.shared)
    try:
        swarm.refresh()
        case = Case(tmp_path / "home", data, torrent_for(data))
        with village(tmp_path) as made, case.partial() as partial:
            made.others.append(("127.0.0.4", engine))
            made.here.open_to(["127.0.0.4"])
            assert case.fetched(partial, RealSwarm(made)) is not None
            assert engine.seeds() == {sealed.infohash}
            keep_back(me.shared.library, receipt_of(me), kept=True)
            swarm.refresh()
            assert engine.seeds() == frozenset()
    finally:
        engine.stop()
