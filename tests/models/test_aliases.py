"""A name of the owner's means one model, and is kept in its receipt."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from thorp.models.aliases import BadAliasError, NoSuchAliasError, check_alias, give, named, take_back
from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.models.remove import remove
from thorp.models.uses import GoneError
from thorp.testing.library import a_library, an_artifact


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def two(library: Library) -> tuple[Receipt, Receipt]:
    return an_artifact(library, "org/one"), an_artifact(library, "org/two")


@pytest.mark.parametrize("name", ["fast", "A", "7b", "a.b-c_d", "x" * 64])
def test_plain_names_are_taken(name: str) -> None:
    assert check_alias(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "org/repo", "a:b", "a@b", "-rm", ".hidden", "_x", "x" * 65, "ä", "a\n", "a\0", "../x"]
)
def test_names_that_could_mean_something_else_are_refused(library: Library, name: str) -> None:
    receipt = an_artifact(library)

    with pytest.raises(BadAliasError):
        give(library, name, receipt)
    assert library.receipts() == (receipt,)


def test_a_name_is_given_and_survives_the_index(library: Library) -> None:
    one, other = two(library)

    given = give(library, "fast", one)

    assert given.aliases == ("fast",)
    assert named(library, "FAST") == (given,)
    assert library.rescan().receipts == library.receipts() == tuple(sorted((given, other), key=lambda one: one.repo))


def test_a_name_moves_and_never_means_two(library: Library) -> None:
    one, other = two(library)
    give(library, "fast", give(library, "small", one))

    moved = give(library, "Fast", other)

    assert [one.repo for one in named(library, "fast")] == ["org/two"]
    assert moved.aliases == ("Fast",)
    assert [one.repo for one in named(library, "small")] == ["org/one"]


def test_giving_it_again_changes_only_how_it_is_written(library: Library) -> None:
    one = give(library, "fast", an_artifact(library))

    assert give(library, "fast", one) == one
    assert give(library, "FAST", one).aliases == ("FAST",)


def test_a_name_is_taken_back(library: Library) -> None:
    one = give(library, "fast", give(library, "small", an_artifact(library)))

    assert take_back(library, "FAST") == (one,)
    assert named(library, "fast") == ()
    assert library.receipts()[0].aliases == ("small",)
    with pytest.raises(NoSuchAliasError, match="Nothing is called `nobody`"):
        take_back(library, "nobody")


def test_C39_names_given_at_once_are_all_kept(library: Library) -> None:
    receipt = an_artifact(library)
    names = [f"n{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        tuple(threads.map(lambda name: give(library, name, receipt), names))

    assert library.receipts()[0].aliases == tuple(sorted(names))


def test_C40_a_name_brings_no_removed_model_back(library: Library) -> None:
    receipt = an_artifact(library)
    remove(library, receipt)

    with pytest.raises(GoneError):
        give(library, "fast", receipt)
    assert library.rescan().receipts == ()
