"""Who asks whom for what first, so that several bring each other different pieces and hashing keeps up."""

from pathlib import Path

import pytest

from tests.models.swarms import DATA, RIGHT, SIZE, Case, RealSwarm, hashes_of, village
from thorp.models.partial import Partial
from thorp.models.swarming import AHEAD, ALONE_AHEAD, next_ones, turn_among
from thorp.swarm.download import PeerStanding

LEECHES = ("10.0.0.3", "10.0.0.20", "10.0.0.7")
SEED = "10.0.0.1"


class Counted(Partial):
    """A partial that counts what is read from it."""

    count = 0

    def read(self, into: memoryview, at: int) -> None:
        self.count += len(into)
        super().read(into, at)


@pytest.mark.parametrize("many", [1, 3])
def test_nothing_is_read_twice_to_be_hashed(tmp_path: Path, many: int) -> None:
    case = Case(tmp_path / "home", DATA, RIGHT)
    with village(tmp_path) as around:
        for _ in range(many):
            around.neighbour(DATA, RIGHT)
        partial = Counted.held(case.folder, SIZE)
        assert partial is not None
        partial.open()
        assert case.fetched(partial, RealSwarm(around)) == hashes_of(DATA)
        partial.release()
    assert partial.count == SIZE


def seen_from(here: str) -> list[PeerStanding]:
    others = [(one, 0.5) for one in LEECHES if one != here]
    return [PeerStanding(one, 1, 0, 0, progress, here) for one, progress in [*others, (SEED, 1.0)]]


def test_all_who_fetch_agree_whose_turn_it_is_and_who_has_all_of_it_has_none() -> None:
    turns = [turn_among(seen_from(here)) for here in LEECHES]
    assert sorted(turns) == [(0, 3), (1, 3), (2, 3)]


def test_who_knows_of_nobody_or_of_seeds_alone_takes_everything() -> None:
    assert turn_among([]) == (0, 1)
    assert turn_among([PeerStanding(SEED, 1, 0, 0, 1.0, LEECHES[0])]) == (0, 1)


def test_shares_are_apart_and_together_the_front_of_what_is_missing() -> None:
    have = bytes([1, 1, 1] + [0] * 97)
    shares = [next_ones(have, (), turn, 3) for turn in range(3)]
    assert sorted(piece for share in shares for piece in share) == list(range(3, 3 + 3 * AHEAD))


def test_what_is_here_or_comes_from_elsewhere_is_in_no_share() -> None:
    assert next_ones(bytes([0, 1, 0, 0]), (2,), 0, 1) == {0, 3}
    assert next_ones(bytes([1, 1]), (), 0, 1) == frozenset()


def test_who_is_alone_chooses_among_more() -> None:
    assert next_ones(bytes(100), (), 0, 1) == frozenset(range(ALONE_AHEAD))
