"""What goes to everybody follows the publisher's word, to the byte and to the moment."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from thorp.base.errors import TryAgainError
from thorp.identity.keys import NodeKey
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.public_swarm import Everywhere, Lines, PublicSwarm
from thorp.models.publish import Publisher, public_seeds
from thorp.models.publish_plan import Kind, Terms
from thorp.models.receipts import Receipt
from thorp.swarm.torrents import parse_torrent
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, an_artifact

ME = NodeKey(bytes(32))
PUBLIC = Terms(public=True, license="mit", piece=1 << 16)


@dataclass
class Engine:
    """Remembers what it was told, as the real one would have it."""

    running: dict[bytes, tuple[Path, bool]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def seed(self, torrent: bytes, at: Path, *, dht: bool = True) -> None:
        self.running[parse_torrent(torrent).infohash] = (at, dht)
        self.told.append("seed")

    def unseed(self, infohash: bytes) -> None:
        self.told.append("unseed")
        self.running.pop(infohash, None)

    def seeds(self) -> frozenset[bytes]:
        return frozenset(self.running)


@dataclass
class House:
    library: Library
    engine: Engine | None = field(default_factory=Engine)

    def __post_init__(self) -> None:
        self.swarm = PublicSwarm(lambda: self.engine, lambda: public_seeds(self.library, ME.node_id))

    def share(self, receipt: Receipt, terms: Terms = PUBLIC) -> None:
        publisher = Publisher(self.library, FakeClock(), lambda: ME)
        publisher.share(receipt, terms, Kind.REF, lambda *_: None, threading.Event())
        self.swarm.refresh()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(a_library(tmp_path))


def running(house: House) -> dict[bytes, tuple[Path, bool]]:
    assert house.engine
    return house.engine.running


def test_exactly_what_is_public_goes_out(house: House) -> None:
    one, other = an_artifact(house.library), an_artifact(house.library, "org/other", {"o.gguf": b"o" * 99})
    house.share(other, Terms(license="mit"))
    assert running(house) == {}
    house.share(one)
    ((at, dht),) = running(house).values()
    assert (at.read_bytes(), dht) == (b"weights" * 1000, True)
    house.swarm.refresh()
    assert house.engine
    assert house.engine.told == ["seed"]


def test_what_is_unshared_is_out_when_the_refresh_returns(house: House) -> None:
    receipt = an_artifact(house.library)
    house.share(receipt)
    Publisher(house.library, FakeClock(), lambda: ME).unshare(receipt)
    house.swarm.refresh()

    assert running(house) == {}


def test_another_word_about_the_dht_counts_at_once(house: House) -> None:
    receipt = an_artifact(house.library)
    house.share(receipt)
    house.share(receipt, replace(PUBLIC, dht=False))

    assert [dht for _, dht in running(house).values()] == [False]


def test_a_torrent_that_is_not_what_the_manifest_names_goes_nowhere(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    receipt = an_artifact(house.library)
    house.engine, engine = None, house.engine
    house.share(receipt)
    (seed,) = public_seeds(house.library, ME.node_id)
    seed.torrent.write_bytes(b"de")
    house.engine = engine
    house.swarm.refresh()

    assert running(house) == {}
    assert "is not handed out" in caplog.text


def test_damaged_files_go_to_nobody(house: House) -> None:
    receipt = an_artifact(house.library)
    house.share(receipt)
    house.library.note_damage(receipt, damaged=True)
    house.swarm.refresh()

    assert running(house) == {}


def test_a_new_engine_gets_everything_anew(house: House) -> None:
    house.share(an_artifact(house.library))
    house.engine = None
    house.swarm.refresh()
    house.engine = Engine()
    house.swarm.refresh()

    assert len(running(house)) == 1


def test_one_way_that_fails_leaves_no_other_open() -> None:
    class Failing:
        def refresh(self) -> None:
            raise TryAgainError("gone")

    lines = Lines()
    with pytest.raises(TryAgainError):
        Everywhere((Failing(), lines)).refresh()
    assert lines.looks == 1


def test_a_seed_is_known_by_what_it_is(house: House) -> None:
    house.share(an_artifact(house.library))
    (seed,) = public_seeds(house.library, ME.node_id)

    assert seed.torrent == house.library.layout.torrent(digest_of(seed.infohash.hex()))
