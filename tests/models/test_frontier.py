"""A file is hashed as far as it is here."""

import hashlib

from tests.models.swarms import (
    DATA,
    Case,
)
from thorp.models.frontier import Frontier
from thorp.models.partial import BLOCK


def test_who_hashes_ends_with_what_is_here(case: Case) -> None:
    with case.partial((0, 1, 2, 3)) as partial:
        frontier = Frontier(case.wanted, partial, own_pieces=True)
        frontier.reach(3 * BLOCK, ends=True)
        frontier.run()
        assert frontier.hashes(b"").sha256 == hashlib.sha256(DATA[: 3 * BLOCK]).hexdigest()
