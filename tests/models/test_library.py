"""The library: what is in it, what a ref means, and that losing the index or the disk loses nothing."""

from pathlib import Path

import pytest

from thorp.models.ids import ModelId
from thorp.models.layout import PUBLICATION, digest_of
from thorp.models.library import (
    AmbiguousError,
    Library,
    NoSuchModelError,
    begins,
    exact_ref,
    same_quant,
    scan,
)
from thorp.models.receipts import Receipt, read_receipt
from thorp.testing.cuts import every_cut
from thorp.testing.library import a_library, an_artifact, piece_hashes

Q4, Q8 = {"m-Q4_K_M.gguf": b"4"}, {"m-Q8_0.gguf": b"8"}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def index_of(tmp_path: Path) -> Path:
    return tmp_path / "data/library.db"


def two_quants(library: Library) -> tuple[Receipt, Receipt]:
    first = an_artifact(library, "Org/Repo", Q4, model_id="m:7b:base:q4_k_m", quant="q4_k_m")
    return first, an_artifact(library, "Org/Repo", Q8, model_id="m:7b:base:q8_0", quant="q8_0")


def test_an_empty_library_has_no_models(library: Library) -> None:
    assert library.receipts() == library.kept() == library.unreadable() == ()


def test_what_a_removal_left_of_a_publication_counts_no_more_and_a_living_one_stays(library: Library) -> None:
    receipt, _ = two_quants(library)
    published = library.path(receipt).with_name(PUBLICATION)
    published.write_text("{}")
    library.put(receipt)
    assert published.exists()

    library.path(receipt).unlink()  # as a removal that ended in the middle leaves it
    library.put(receipt)
    assert not published.exists()


def test_what_was_put_is_there_with_the_hashes_of_its_pieces(library: Library, tmp_path: Path) -> None:
    first, second = two_quants(library)

    assert a_library(tmp_path).receipts() == (first, second)
    assert [one.complete for one in library.kept()] == [True, True]
    assert library.pieces(first, first.files[0].sha256) == piece_hashes(b"4")
    assert library.pieces(first, second.files[0].sha256) is None
    assert read_receipt(library.path(first)) == first


def test_what_was_dropped_is_gone_and_so_are_its_folders(library: Library) -> None:
    first, second = two_quants(library)

    library.drop(first)
    assert library.receipts() == (second,)
    assert library.path(second).exists()
    library.drop(second)
    library.drop(second)
    assert list(library.layout.receipts.iterdir()) == []
    assert library.receipts() == ()


def test_what_has_lost_a_file_says_which(library: Library) -> None:
    first, _ = two_quants(library)
    library.layout.blob(first.repo, digest_of(first.files[0].sha256)).unlink()

    kept = library.state(first)

    assert not kept.complete
    assert kept.missing == "`m-Q4_K_M.gguf` is not there, or is not 1 bytes long"


def test_C44_while_the_disk_is_away_all_is_missing_and_nothing_forgotten(library: Library, tmp_path: Path) -> None:
    both = two_quants(library)
    library.layout.hub.rename(tmp_path / "unmounted")
    library.layout.hub.mkdir()

    assert "is its disk mounted?" in library.away()
    assert ["is its disk mounted?" in one.missing for one in library.kept()] == [True, True]
    assert library.rescan().receipts == both

    library.layout.hub.rmdir()
    (tmp_path / "unmounted").rename(library.layout.hub)
    assert [one.complete for one in library.kept()] == [True, True]


@pytest.mark.parametrize("damage", [None, b"", b"SQLite format 3\0" + b"x" * 4080, b"not a database" * 100])
def test_C45_losing_the_index_loses_nothing(library: Library, tmp_path: Path, damage: bytes | None) -> None:
    both = two_quants(library)
    assert library.receipts() == both
    index_of(tmp_path).unlink()
    if damage is not None:
        index_of(tmp_path).write_bytes(damage)

    third = an_artifact(library, "other/repo", Q4)  # before anybody looked

    assert library.receipts() == library.rescan().receipts
    assert set(library.receipts()) == {*both, third}


def test_C45_a_row_that_cannot_be_read_makes_the_index_anew(library: Library) -> None:
    both = two_quants(library)
    library._index.put(both[0].key, b'{"schema": 9}')

    assert library.receipts() == both


def test_C45_a_receipt_of_a_newer_thorp_is_told_and_not_touched(library: Library) -> None:
    first, second = two_quants(library)
    library.path(first).write_text('{"schema": 9, "new": true}')

    found = library.rescan()

    assert found.receipts == library.receipts() == (second,)
    assert ["newer Thorp" in one for one in found.unreadable] == [True]
    assert library.path(first).read_text() == '{"schema": 9, "new": true}'


def test_D_what_is_no_receipt_is_told_by_its_place(library: Library) -> None:
    first, second = two_quants(library)
    library.path(first).write_bytes(b"\xff")
    moved = library.layout.receipt("org/other", second.revision, "m")
    moved.parent.mkdir(parents=True)
    moved.write_bytes(library.path(second).read_bytes())
    moved.with_name("metadata.json").with_suffix(".bak").write_text("{}")

    found = scan(library.layout)

    assert found.receipts == (second,)
    assert len(found.unreadable) == 2
    assert [str(one) in text for one, text in zip((library.path(first), moved), found.unreadable, strict=True)] == [
        True
    ] * 2
    assert library.unreadable() == ()  # nobody has looked since
    assert library.rescan().unreadable == library.unreadable() == found.unreadable


def test_C35_a_receipt_is_there_or_not_wherever_its_writing_ends(tmp_path: Path) -> None:
    for number, trial in enumerate(every_cut()):
        library = a_library(tmp_path / str(number))
        receipt = an_artifact(library, files=Q4)
        library.drop(receipt)
        done = trial(
            lambda library=library, receipt=receipt: library.put(receipt, {receipt.files[0].sha256: b"x" * 20})
        )

        known = a_library(tmp_path / str(number)).rescan()
        assert known.unreadable == ()
        assert known.receipts in ((), (receipt,))
        assert known.receipts or not done
        assert not known.receipts or library.pieces(receipt, receipt.files[0].sha256) == b"x" * 20
        library.put(receipt)
        assert library.receipts() == (receipt,)


@pytest.mark.parametrize(
    "ref",
    [
        "m:7b:base:q8_0",
        "Org/Repo:Q8_0",
        "org/repo:q8_0",
        "Org/Repo/m-Q8_0.gguf",
        f"Org/Repo@{'a' * 40}:q8_0",
        "Org/Repo@main:q8_0",
        "FAST",
        "https://huggingface.co/Org/Repo/blob/main/m-Q8_0.gguf",
    ],
)
def test_a_ref_finds_its_model(library: Library, ref: str) -> None:
    _, second = two_quants(library)
    second = second.with_aliases(("Fast",))
    library.put(second)

    assert library.one(ref) == second


@pytest.mark.parametrize("ref", ["m", "m:7b", "Org/Repo", "M:7B:base"])
def test_a_ref_that_means_several_lists_refs_that_mean_one(library: Library, ref: str) -> None:
    both = two_quants(library)

    with pytest.raises(AmbiguousError) as refused:
        library.one(ref)

    choices = refused.value.details["choices"]
    assert isinstance(choices, list)
    assert [library.one(one["ref"]) for one in choices] == list(both)
    assert refused.value.exit_code == 8


def test_an_exact_ref_means_one_artifact(library: Library) -> None:
    first, _ = two_quants(library)
    folder = an_artifact(
        library, "org/folder", {"model.safetensors": b"1", "config.json": b"{}"}, artifact="_", quant="bf16"
    )
    unnamed = an_artifact(library, "org/unnamed", {"some.gguf": b"1"}, quant=None)

    assert [library.one(exact_ref(one)) for one in (first, folder, unnamed)] == [first, folder, unnamed]


@pytest.mark.parametrize(
    "ref", ["mistral", "Org/Repo:q2_k", f"Org/Repo@{'b' * 40}", "Org/Repo/other.gguf", "x:7b:base:f16"]
)
def test_a_ref_that_means_nothing_is_told(library: Library, ref: str) -> None:
    two_quants(library)

    with pytest.raises(NoSuchModelError, match="lists them all") as refused:
        library.one(ref)
    assert refused.value.exit_code == 3


def test_an_alias_wins_over_what_begins_alike(library: Library) -> None:
    first, _ = two_quants(library)
    other = an_artifact(library, "other/repo", Q4, model_id="m:7b:base:f16", aliases=("m",))

    assert library.one("m") == other
    assert library.one("m:7b:base:q4_k_m") == first


def test_parts_of_ids_and_quants_are_compared_as_people_write_them() -> None:
    assert begins("mistral:7b:instruct:q4_k_m", "mistral:7b")
    assert not begins("mistral:7b:instruct:q4_k_m", "mist")
    assert same_quant("Q4-K-M", "q4_k_m")
    assert not same_quant("q4", None)


def test_the_id_of_a_receipt_is_one(library: Library) -> None:
    assert ModelId(two_quants(library)[0].model_id) == "m:7b:base:q4_k_m"
