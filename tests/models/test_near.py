"""Resolving and pulling with neighbours: without the internet, beside it, and against neighbours that lie or vanish."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models.neighbourly import SIZE, a_neighbour, around, lying, receipt_of, sealed_as
from tests.models.pulling import FILE, MIB, REPO, Home, a_home, a_model
from tests.models.world import opened
from thorp.base.errors import NetworkError, NotFoundError
from thorp.models.adopt_filing import ContradictionError
from thorp.models.files_in import WrongBytesError, others
from thorp.models.offered import ContradictingNeighboursError, NobodyHasItError, SeveralRevisionsError
from thorp.models.receipts import Origin
from thorp.models.repair import NoSourceLeftError
from thorp.models.resolve import NoNeighboursError
from thorp.models.types import SourceKind
from thorp.testing.hub import FakeHub
from thorp.testing.library import git_name
from thorp.testing.neighbours import FakeNeighbour, FakeNeighbours
from thorp.testing.safetensors import tiny_safetensors
from thorp.testing.sources import FakeSource, Mishap
from thorp.wire.publication import BadPublicationError

NOWHERE = "http://127.0.0.1:1"
ID = "tiny:1b:base:q4_k_m"


@pytest.fixture
def mia(tmp_path: Path) -> FakeNeighbour:
    return a_neighbour(tmp_path, "mia", {FILE: a_model(tmp_path / "made", SIZE).read_bytes()})


@pytest.fixture
def tom(tmp_path: Path, mia: FakeNeighbour) -> FakeNeighbour:
    data = Path(mia.shared.blob(sha_of(mia)).path).read_bytes()
    return a_neighbour(tmp_path, "tom", {FILE: data})


@pytest.fixture
def house(mia: FakeNeighbour, tom: FakeNeighbour) -> FakeNeighbours:
    return around(mia, tom)


@pytest.fixture
def home(tmp_path: Path, house: FakeNeighbours) -> Iterator[Home]:
    """A home without the internet."""
    with a_home(tmp_path / "home", NOWHERE, neighbours=house) as one:
        yield one


@pytest.fixture
def hub(mia: FakeNeighbour) -> Iterator[FakeHub]:
    with FakeHub() as one:
        one.add(REPO, {FILE: Path(mia.shared.blob(sha_of(mia)).path)}, license="mit")
        yield one


@pytest.fixture
def online(tmp_path: Path, hub: FakeHub, house: FakeNeighbours) -> Iterator[Home]:
    with a_home(tmp_path / "home", hub.url, neighbours=house) as one:
        yield one


def sha_of(neighbour: FakeNeighbour) -> str:
    return receipt_of(neighbour).files[0].sha256


def spoiled(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


@pytest.mark.parametrize("ref", [REPO, REPO.lower(), f"{REPO}:Q4_K_M", f"{REPO}@main", f"{REPO}/{FILE}", ID])
def test_without_the_internet_a_ref_means_what_neighbours_have(home: Home, mia: FakeNeighbour, ref: str) -> None:
    meaning = home.meaning(ref)
    plan = meaning.plan()

    assert meaning.near
    assert plan is not None
    assert (plan.repo, plan.revision, plan.version) == (REPO, receipt_of(mia).revision, "main")
    assert (plan.model_id, plan.quant, plan.claimed_by, plan.rides) == (ID, "q4_k_m", mia.node, False)


def test_words_list_repositories_with_their_quants_and_who_has_them(home: Home) -> None:
    (hit,) = home.meaning("tiny gguf").hits

    assert (hit.repo, hit.quants, hit.neighbours) == (REPO, ("q4_k_m",), ("mia", "tom"))
    assert home.resolver.near("tiny", 9) == (hit,)
    first = home.resolver.first_choice(home.meaning("tiny"))
    assert first.near
    assert first.plan() is not None


def test_an_id_in_several_repositories_is_a_choice_between_them(
    home: Home, house: FakeNeighbours, tmp_path: Path
) -> None:
    house.every.append(a_neighbour(tmp_path, "ann", repo="other/Tiny-GGUF"))

    assert [one.repo for one in home.meaning(ID).hits] == [REPO, "other/Tiny-GGUF"]


def test_an_id_in_several_repositories_never_stands_for_another_model(tmp_path: Path) -> None:
    files = {quant: {f"Tiny-1B-{quant}.gguf": quant.encode() * 99} for quant in ("Q8_0", "Q4_K_M")}
    wanted = {"model_id": "tiny:1b:base:q8_0", "quant": "q8_0"}
    house = around(
        a_neighbour(tmp_path, "mia", files["Q8_0"], "a/Tiny-GGUF", **wanted),
        a_neighbour(tmp_path, "tom", files["Q4_K_M"], "a/Tiny-GGUF"),
        a_neighbour(tmp_path, "ann", files["Q8_0"], "b/Tiny-GGUF", **wanted),
    )
    with a_home(tmp_path / "home", NOWHERE, neighbours=house) as home:
        meaning = home.meaning("tiny:1b:base:q8_0")
        plan = home.resolver.first_choice(meaning).plan()

    assert [one.repo for one in meaning.hits] == ["a/Tiny-GGUF", "b/Tiny-GGUF"]
    assert plan is not None
    assert plan.model_id == "tiny:1b:base:q8_0"


def test_from_lan_asks_no_hub(online: Home, hub: FakeHub) -> None:
    plan = online.plan(source="lan")

    assert (plan.only, plan.claimed_by is None) == ("lan", False)
    online.pull(plan)
    assert hub.log == ()
    with pytest.raises(NobodyHasItError):
        online.meaning("org/other", source="lan")
    with pytest.raises(NobodyHasItError):
        online.meaning("nothing like it", source="lan")
    with pytest.raises(NobodyHasItError):
        online.meaning("no:such:model:q4_0", source="lan")
    assert hub.log == ()


def test_from_hub_asks_no_neighbour(online: Home, mia: FakeNeighbour, tom: FakeNeighbour) -> None:
    receipt = online.pull(online.plan(source="hub"))

    assert receipt.source.kind is SourceKind.HUB
    assert mia.given == tom.given == []


def test_what_only_neighbours_have_is_found_beside_the_hub(online: Home, house: FakeNeighbours, tmp_path: Path) -> None:
    house.every.append(a_neighbour(tmp_path, "ann", repo="local/own-model"))

    assert online.plan("local/own-model").claimed_by == "ed25519:ann"
    assert [one.repo for one in online.meaning("own-model").hits] == ["local/own-model"]
    with pytest.raises(NotFoundError, match="does not exist"):
        online.meaning("org/nothing")


def test_without_the_internet_and_without_neighbours_the_hubs_own_failure_is_told(tmp_path: Path) -> None:
    house = around()
    with a_home(tmp_path, NOWHERE, neighbours=house) as home:
        with pytest.raises(NetworkError, match="hub cannot be reached"):
            home.meaning(REPO)
        house.failure = NetworkError("the mesh is down")
        with pytest.raises(NetworkError, match="hub cannot be reached"):
            home.meaning(REPO)
    with a_home(tmp_path, NOWHERE) as alone, pytest.raises(NoNeighboursError, match="thorp up"):
        alone.meaning(REPO, source="lan")


def test_E66_neighbours_that_contradict_each_other_are_both_shown_and_nothing_is_fetched(
    home: Home, mia: FakeNeighbour, tom: FakeNeighbour
) -> None:
    tom.says = lying
    with pytest.raises(ContradictingNeighboursError) as failed:
        home.meaning(REPO)

    assert all(word in failed.value.message for word in (sha_of(mia), "e" * 64, "mia", "tom"))


def test_E66_the_hub_decides_where_it_can_be_asked(online: Home, mia: FakeNeighbour, tom: FakeNeighbour) -> None:
    mia.says = lying
    receipt = online.pull()

    assert receipt.files[0].sha256 == sha_of(tom)
    assert receipt.claimed_by is None
    assert (mia.bytes_given, tom.bytes_given) == (0, SIZE)


def test_E63_many_equal_claims_do_not_outvote_one(home: Home, house: FakeNeighbours, tmp_path: Path) -> None:
    for number in range(3):
        house.every.append(a_neighbour(tmp_path, f"sybil{number}", {FILE: b"other bytes" * 1000}))

    with pytest.raises(ContradictingNeighboursError):
        home.meaning(REPO)


def test_E66_an_id_is_compared_with_all_that_is_said_of_its_files(home: Home, tom: FakeNeighbour) -> None:
    tom.says = lambda model: lying(model).model_copy(update={"model_id": "other:1b:base:q4_k_m"})

    with pytest.raises(ContradictingNeighboursError):
        home.meaning(ID)


def test_a_manifest_that_was_changed_is_refused_and_an_honest_neighbour_is_taken(
    home: Home, house: FakeNeighbours, mia: FakeNeighbour, tom: FakeNeighbour
) -> None:
    mia.says = lambda model: model.model_copy(update={"publication": {"v": 1}})
    assert home.plan().claimed_by == tom.node

    house.every = [mia]
    with pytest.raises(BadPublicationError):
        home.meaning(REPO)


def test_several_revisions_are_a_question(home: Home, tom: FakeNeighbour) -> None:
    tom.says = lambda model: model.model_copy(update={"revision": "2" * 40})
    with pytest.raises(SeveralRevisionsError):
        home.meaning(REPO)

    assert home.plan(f"{REPO}@{'2' * 40}").claimed_by == tom.node


def test_a_pull_without_the_internet_is_whole_and_says_whose_word_it_is(home: Home, mia: FakeNeighbour) -> None:
    receipt = home.pull()

    assert home.blob(sha_of(mia)).stat().st_size == SIZE
    assert (receipt.source.kind, receipt.claimed_by) == (SourceKind.LAN, mia.node)
    assert receipt.source.detail in ("mia", "tom")
    assert receipt.files[0].infohash is None, "nobody says that it may ride a torrent"
    assert not home.library.layout.torrents.exists()
    assert home.library.receipts() == (receipt,)
    assert home.own() == []


def test_what_rides_a_torrent_there_rides_one_here(home: Home, mia: FakeNeighbour) -> None:
    sealed_as(mia.shared.library, replace(receipt_of(mia), source=replace(receipt_of(mia).source, kind=SourceKind.HUB)))
    plan = home.plan()
    receipt = home.pull(plan)

    assert plan.rides
    assert receipt.files[0].infohash


def test_a_folder_comes_with_its_small_files_under_gits_own_names(tmp_path: Path) -> None:
    weights, config = tiny_safetensors(tmp_path / "model.safetensors")[0].read_bytes(), b'{"model_type": "llama"}'
    files = {"model.safetensors": weights, "config.json": config}
    ann = a_neighbour(tmp_path, "ann", files, "org/Tiny", artifact="_", format="safetensors")
    with a_home(tmp_path / "home", NOWHERE, neighbours=around(ann)) as home:
        receipt = home.pull(home.plan("org/Tiny"))

        assert sorted(one.path for one in receipt.files) == ["config.json", "model.safetensors"]
        assert git_name(config) in home.blobs("org/Tiny")
        assert home.seen_by_hf("org/Tiny", "config.json").read_bytes() == config


def test_a_small_file_whose_two_hashes_do_not_belong_together_is_refused(tmp_path: Path) -> None:
    files = {"model.safetensors": tiny_safetensors(tmp_path / "m.safetensors")[0].read_bytes(), "config.json": b"{}"}
    ann = a_neighbour(tmp_path, "ann", files, "org/Tiny", artifact="_", format="safetensors")
    ann.says = lambda model: model.model_copy(
        update={
            "files": tuple(one.model_copy(update={"blob": "c" * 40}) if one.size == 2 else one for one in model.files)
        }
    )
    with a_home(tmp_path / "home", NOWHERE, neighbours=around(ann)) as home:
        with pytest.raises(WrongBytesError):
            home.pull(home.plan("org/Tiny", source="lan"))
        assert "c" * 40 not in home.blobs("org/Tiny")


def test_a_pull_beside_the_hub_takes_the_bytes_from_neighbours(online: Home, hub: FakeHub) -> None:
    receipt = online.pull()

    assert hub.bytes_sent(FILE) == 0
    assert (receipt.source.kind, receipt.claimed_by, receipt.license) == (SourceKind.LAN, None, "mit")
    assert receipt.files[0].infohash, "the hub gives it to everybody"


@pytest.mark.parametrize("how", ["gone", "vanishes", "gives nothing", "lies", "lies, both"])
def test_E64_whatever_neighbours_do_the_pull_ends_from_the_hub(
    online: Home, hub: FakeHub, mia: FakeNeighbour, tom: FakeNeighbour, how: str
) -> None:
    for one in (mia, tom):
        one.away = how == "gone"
        one.mishaps = [Mishap(NetworkError("vanished"), MIB)] * 99 if how == "vanishes" else []
        one.sends = spoiled if how == "lies, both" or (how == "lies" and one is mia) else one.sends
    if how == "gives nothing":
        mia.mishaps = tom.mishaps = [Mishap(NotFoundError("no such file"))] * 99
    receipt = online.pull()

    assert receipt.files[0].sha256 == sha_of(mia)
    assert hashlib.sha256(online.blob(sha_of(mia)).read_bytes()).hexdigest() == sha_of(mia)
    assert hub.bytes_sent(FILE) <= SIZE
    assert (hub.bytes_sent(FILE) == SIZE) is (how in ("gone", "gives nothing", "lies, both"))


def test_without_the_internet_the_honest_neighbour_wins(home: Home, mia: FakeNeighbour, tom: FakeNeighbour) -> None:
    mia.sends = spoiled
    receipt = home.pull()

    assert receipt.source.detail == "tom"
    assert tom.bytes_given == SIZE


def test_a_lying_neighbour_alone_installs_nothing(home: Home, house: FakeNeighbours, mia: FakeNeighbour) -> None:
    house.every = [mia]
    mia.sends = spoiled
    with pytest.raises(WrongBytesError):
        home.pull(home.plan(source="lan"))

    assert home.library.receipts() == ()
    assert home.blobs() == []


def test_when_the_last_neighbour_is_gone_that_is_said(home: Home, house: FakeNeighbours) -> None:
    plan = home.plan(source="lan")
    house.every.clear()

    with pytest.raises(NobodyHasItError, match="No neighbour that is here now"):
        home.pull(plan)


def test_a_neighbours_word_replaces_nothing_that_is_proven_here(
    online: Home, mia: FakeNeighbour, tom: FakeNeighbour
) -> None:
    kept = online.pull()
    revision = kept.revision
    for one in (mia, tom):
        one.says = lambda model: lying(model).model_copy(update={"revision": revision})
    with pytest.raises(ContradictionError):
        online.pull(online.plan(source="lan"))

    assert online.library.receipts() == (kept,)


def test_a_neighbours_word_says_nothing_new_of_what_is_here(online: Home, mia: FakeNeighbour) -> None:
    """An own model that others have from here stays an own one, which goes to nobody by torrent or by `--all`."""
    own = replace(online.pull(online.plan(source="lan")), source=Origin(SourceKind.IMPORT, "here"), claimed_by=None)
    online.library.put(own)
    again = online.pull(online.plan(source="lan"))

    assert (again.source, again.claimed_by, again.files) == (own.source, None, own.files)
    assert online.library.receipts() == (again,)


def test_a_neighbours_word_does_not_move_a_branch(online: Home, mia: FakeNeighbour) -> None:
    kept = online.pull()
    assert kept.revision != receipt_of(mia).revision
    online.pull(online.plan(source="lan"))

    assert online.library.layout.ref(REPO, "main").read_text() == kept.revision
    assert len(online.library.receipts()) == 2


def test_damage_is_mended_by_neighbours_without_the_internet(home: Home) -> None:
    receipt = home.pull()
    with home.blob(receipt.files[0].sha256).open("r+b") as file:
        file.write(b"damaged!")

    assert home.repair(receipt).fetched > 0
    assert hashlib.sha256(home.blob(receipt.files[0].sha256).read_bytes()).hexdigest() == receipt.files[0].sha256


def test_damage_that_nobody_around_can_mend_asks_the_hub_or_says_so(home: Home, house: FakeNeighbours) -> None:
    receipt = home.pull()
    with home.blob(receipt.files[0].sha256).open("r+b") as file:
        file.write(b"damaged!")
    house.every.clear()

    with pytest.raises(NetworkError):
        home.repair(receipt)
    local = replace(receipt, version="local")
    home.library.put(local)
    with pytest.raises(NoSourceLeftError):
        home.repair(local)


def test_after_wrong_bytes_those_who_gave_them_are_left_out_and_in_the_end_all_neighbours() -> None:
    near, far, hub = (FakeSource(b"", SourceKind.LAN), FakeSource(b"", SourceKind.LAN), FakeSource(b""))

    assert others((near, far, hub), frozenset({near})) == (far, hub)
    assert others((near, far, hub), frozenset({near}), last=True) == (hub,)
    assert others((near, far), frozenset({near}), last=True) == (far,)
    assert others((hub,), frozenset({hub}), last=True) == (hub,)
    assert others((near,), frozenset({near}), last=True) == (near,)
    assert others((near, hub), frozenset(), last=False) == (near, hub)


def test_over_the_bus_search_resolve_and_pull_know_the_neighbours(tmp_path: Path, house: FakeNeighbours) -> None:
    async def story() -> dict[str, Any]:
        async with opened(tmp_path, FakeHub(port=1), neighbours=house) as world:
            found = await world.ask("hub.search", **{"q": "tiny", "from": "lan"})
            assert found["hub"] == "the household"
            assert [(one["repo"], one["quants"]) for one in found["results"]] == [(REPO, ["q4_k_m"])]
            (choice,) = (await world.ask("model.resolve", **{"ref": REPO, "from": "lan"}))["choices"]
            assert (choice["ref"], choice["size_bytes"]) == (f"{REPO}:q4_k_m", SIZE)
            return await world.pulled(REPO, **{"from": "lan"})

    row = asyncio.run(story())
    assert row["by_source"] == {"lan": SIZE}
