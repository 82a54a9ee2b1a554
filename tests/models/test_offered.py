"""Claims of neighbours: grouped, matched and compared, never counted out."""

from dataclasses import replace

import pytest

from thorp.models.ids import parse_model_id
from thorp.models.offered import (
    NO_NEIGHBOURS,
    ContradictingNeighboursError,
    NotAroundError,
    SeveralRevisionsError,
    choices_of,
    found,
    holders,
    infohashes,
    names_collide,
    of_id,
    of_repo,
    one_revision,
    refuse_contradictions,
    remote,
    repo_of,
    version_of,
)
from thorp.models.types import Format, Offered, OfferedFile, RemoteFile, Wanted

A, B, REVISION = "a" * 64, "b" * 64, "1" * 40
ONE = OfferedFile("Tiny-1B-Q4_K_M.gguf", 10, A, A, "d" * 40)
SMALL = OfferedFile("config.json", 2, B, "c" * 40)
OFFER = Offered(
    node="n1",
    name="mia",
    model_id="tiny:1b:base:q4_k_m",
    repo="org/Tiny-GGUF",
    revision=REVISION,
    version="main",
    artifact="Tiny-1B-Q4_K_M",
    format=Format.GGUF,
    quant="q4_k_m",
    files=(ONE,),
    license="mit",
    added="2026-01-01T00:00:00Z",
)
OTHER = replace(OFFER, node="n2", name="tom")
Q8 = replace(
    OFFER, model_id="tiny:1b:base:q8_0", artifact="Tiny-1B-Q8_0", quant="q8_0", files=(replace(ONE, path="b"),)
)


def with_sha(offer: Offered, sha256: str) -> Offered:
    return replace(offer, files=(replace(ONE, sha256=sha256, blob=sha256),))


def wanted(file: RemoteFile, **at: str) -> Wanted:
    return Wanted(at.get("repo", "org/Tiny-GGUF"), at.get("revision", REVISION), file)


def test_words_find_repositories_by_name_with_quants_and_holders() -> None:
    hits = found((OFFER, OTHER, Q8, replace(OFFER, repo="a/Tiny")), "TINY q4", 9)

    assert [(one.repo, one.quants, one.neighbours) for one in hits] == [
        ("a/Tiny", ("q4_k_m",), ("mia",)),
        ("org/Tiny-GGUF", ("q4_k_m",), ("mia", "tom")),
    ]
    assert len(found((OFFER, replace(OFFER, repo="a/Tiny")), "tiny", 1)) == 1
    assert found((OFFER,), "tiny nothing", 9) == ()


def test_a_repository_and_an_id_are_found_by_name() -> None:
    model_id = parse_model_id("tiny:1b:base:q8_0")
    assert model_id is not None
    assert of_id((OFFER, Q8), model_id) == (Q8,)
    assert of_repo((OFFER, Q8), "ORG/tiny-gguf", None) == (OFFER, Q8)
    assert of_repo((OFFER,), "org/Tiny-GGUF", "main") == of_repo((OFFER,), None, REVISION) == (OFFER,)
    assert of_repo((OFFER,), "org/Tiny-GGUF", "v2") == ()


def test_the_choices_are_smallest_first_and_named_by_the_first_who_says_so() -> None:
    eyes = OfferedFile("mmproj.gguf", 5, B, B)
    large = replace(
        Q8, node="n3", files=(replace(ONE, path="b", size=99, infohash=None), eyes), projector="mmproj.gguf"
    )
    small, big = choices_of((large, OTHER, OFFER))

    assert (small.quant, small.claimed_by, small.rides) == ("q4_k_m", "n2", True)
    assert (big.claimed_by, big.rides, big.projector) == ("n3", False, remote(eyes))
    assert [one.path for one in big.files] == ["b"]


def test_a_revision_is_described_as_far_as_it_is_known() -> None:
    repo = repo_of((OFFER, replace(OTHER, license=None, parameters=7), Q8))

    assert (repo.repo, repo.revision, repo.license, repo.parameters) == ("org/Tiny-GGUF", REVISION, "mit", 7)
    assert [one.path for one in repo.files] == ["Tiny-1B-Q4_K_M.gguf", "b"]
    assert version_of((OFFER,), None) == "main"
    assert version_of((replace(OFFER, version="v2"), OFFER), None) == "main"
    assert version_of((replace(OFFER, version="local"),), None) == "local"
    assert version_of((OFFER,), "v3") == "v3"


def test_E63_several_revisions_are_a_question_and_no_vote() -> None:
    old = replace(OFFER, revision="2" * 40)
    one_revision("org/Tiny", (OFFER, OTHER))
    with pytest.raises(SeveralRevisionsError) as failed:
        one_revision("org/Tiny", (OFFER, OTHER, replace(OFFER, node="n3", name="sybil"), old))

    choices = failed.value.details["choices"]
    assert choices == [
        {"ref": f"org/Tiny-GGUF@{REVISION}", "neighbours": ("mia", "sybil", "tom")},
        {"ref": f"org/Tiny-GGUF@{'2' * 40}", "neighbours": ("mia",)},
    ]


def test_E66_two_who_say_different_things_are_both_shown() -> None:
    liar = with_sha(OTHER, B)
    with pytest.raises(ContradictingNeighboursError) as failed:
        refuse_contradictions(choices_of((OFFER,)), (OFFER, liar, replace(liar, node="n3", name="sybil")))

    assert failed.value.details["claims"] == [
        {"sha256": A, "neighbours": ["mia"]},
        {"sha256": B, "neighbours": ["tom", "sybil"]},
    ]
    assert all(word in failed.value.message for word in (A, B, "mia", "tom"))


def test_equal_bytes_under_another_blob_name_are_no_contradiction() -> None:
    other = replace(OTHER, files=(replace(ONE, blob="c" * 40),))

    refuse_contradictions(choices_of((OFFER,)), (OFFER, other))
    refuse_contradictions(choices_of((OFFER,)), (OFFER, replace(Q8, files=(replace(SMALL, sha256=A),))))


def test_who_has_a_file_is_found_by_its_hash_whatever_it_is_called() -> None:
    elsewhere = replace(OTHER, repo="other/repo", files=(replace(ONE, path="renamed.gguf", infohash="e" * 40),))
    wish = wanted(RemoteFile("x.gguf", 10, A, A))
    offers = (OFFER, Q8, elsewhere, replace(elsewhere, node="n3"))

    assert [(one.node, file.path) for one, file in holders(offers, wish)] == [
        ("n1", ONE.path),
        ("n2", "renamed.gguf"),
        ("n3", "renamed.gguf"),
    ]
    assert infohashes(offers, wish) == ("e" * 40, "d" * 40)
    assert holders(offers, wanted(RemoteFile("x.gguf", 11, A, A))) == ()


def test_E62_one_neighbour_does_not_crowd_out_the_torrents_of_others() -> None:
    many = tuple(replace(ONE, path=f"{at}.gguf", infohash=f"{at:040x}") for at in range(20))
    liar = replace(OTHER, node="n0", files=many)

    ranked = infohashes((liar, OFFER), wanted(RemoteFile("x.gguf", 10, A, A)))
    assert ranked == (f"{0:040x}", f"{1:040x}", "d" * 40)


def test_a_file_that_git_names_is_found_by_its_place() -> None:
    offer = replace(OFFER, files=(SMALL,))
    file = RemoteFile("config.json", 2, SMALL.blob)

    assert holders((offer,), wanted(file)) == ((offer, SMALL),)
    assert holders((offer,), wanted(file, repo="org/other")) == ()
    assert holders((offer,), wanted(file, revision="3" * 40)) == ()
    assert holders((offer,), wanted(replace(file, blob="f" * 40))) == ()


@pytest.mark.parametrize(
    ("paths", "collide"),
    [
        (("a", "b/c"), False),
        (("A", "a"), True),
        (("a", "a/b"), True),
        (("a", "a-b", "a.b", "a/b"), True),
        (("a", "a-b", "ab/c"), False),
        (("a/b", "a/c", "x"), False),
        (("é", "e\u0301"), True),
        (("b/a/c", "b/A"), True),
    ],
)
def test_names_that_some_disk_takes_for_one(paths: tuple[str, ...], *, collide: bool) -> None:
    assert names_collide(paths) is collide


def test_without_a_node_there_are_no_neighbours() -> None:
    assert (NO_NEIGHBOURS.known, NO_NEIGHBOURS.models(), NO_NEIGHBOURS.torrent("a" * 40)) == (False, (), None)
    with pytest.raises(NotAroundError):
        NO_NEIGHBOURS.read("n1", A, 0, 1, None)  # type: ignore[arg-type]
