import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.merkle import BLOCK, HASH, PIECE, Leaves, Tree, root_of, root_of_layer
from thorp.swarm.recipes import PIECE as PIECE_OF_RECIPES

SMALL = 4 * BLOCK


def bytes_of(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def tree(data: bytes, piece: int = SMALL) -> Tree:
    leaves = Leaves(piece)
    leaves.update(data)
    return leaves.digest()


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def slow_root(data: bytes, piece: int) -> bytes:
    """As the page of version 2 words it: all leaves at once, filled up with zeros."""
    hashes = [sha(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    width = piece // BLOCK if len(data) > piece else 1
    while width < len(hashes):
        width *= 2
    hashes += [bytes(HASH)] * (width - len(hashes))
    while len(hashes) > 1:
        hashes = [sha(hashes[at] + hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def test_the_usual_piece_is_that_of_the_recipes() -> None:
    assert PIECE == PIECE_OF_RECIPES
    assert Leaves().digest().piece == PIECE


LENGTHS = [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, SMALL - 1, SMALL, SMALL + 1, 5 * SMALL + 7, 9 * SMALL]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("piece", [BLOCK, 2 * BLOCK, SMALL])
def test_the_root_is_that_of_all_leaves_at_once(length: int, piece: int) -> None:
    data = bytes_of(length)
    made = tree(data, piece)

    assert made.root == slow_root(data, piece)
    assert len(made.layer) == (HASH * -(-length // piece) if length > piece else 0)
    if made.layer:
        assert root_of_layer(made.layer, piece) == made.root


@given(st.integers(0, 3 * SMALL), st.lists(st.integers(1, SMALL), max_size=8))
def test_it_does_not_matter_in_what_parts_the_bytes_come(length: int, cuts: list[int]) -> None:
    data = memoryview(bytes_of(length))
    leaves = Leaves(SMALL)
    for cut in cuts:
        leaves.update(data[:cut])
        leaves.digest()
        data = data[cut:]
    leaves.update(data)

    assert leaves.digest() == tree(bytes_of(length))


def test_an_empty_file_has_no_root() -> None:
    assert tree(b"") == Tree(0, SMALL, b"", b"")


def test_a_layer_of_other_hashes_has_another_root() -> None:
    made = tree(bytes_of(2 * SMALL))

    assert root_of_layer(made.layer[HASH:] + made.layer[:HASH], SMALL) != made.root


def test_one_hash_is_its_own_root() -> None:
    assert root_of([b"x" * HASH], bytes(HASH)) == b"x" * HASH
