"""What a ref means: out of the library without a network, else as the hub says, else as the library can."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.pulling import FILE, REPO, Home, a_home, a_model
from thorp.base.errors import IntegrityError, NetworkError, NotFoundError, TryAgainError
from thorp.machine.fit import Fit
from thorp.machine.snapshot import MachineSnapshot
from thorp.models.aliases import give
from thorp.models.library import AmbiguousError
from thorp.models.receipts import Receipt
from thorp.models.refs import BadRefError
from thorp.models.resolve import Ask, NoSuchSourceError, NothingFoundError, Resolver
from thorp.models.selection import CollidingNamesError, TooManyFilesError
from thorp.models.stores import StoreAwayError
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.library import an_artifact
from thorp.testing.safetensors import tiny_safetensors

ID = "tiny:1b:base:q4_k_m"
SMALL, OLD = "Tiny-1B-Q2_K.gguf", "second/Tiny-1B-GGUF"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    made = tmp_path / "made"
    with FakeHub() as one:
        one.add(REPO, {FILE: a_model(made, 600_000), SMALL: a_model(made, 500_000, seed=1, name=SMALL)}, downloads=50)
        one.add(OLD, {FILE: a_model(made, 700_000, seed=2, name="other.gguf")}, downloads=9)
        one.add("third/Big-7B-GGUF", {"Big-7B-Q8_0.gguf": b"GGUF" + bytes(20_000)}, downloads=1000)
        yield one


@pytest.fixture
def home(tmp_path: Path, hub: FakeHub) -> Iterator[Home]:
    with a_home(tmp_path, hub.url) as one:
        yield one


def kept(home: Home, ref: str, **asked: str) -> Receipt:
    """What is in the library already; the hub must not be needed for it."""
    found = home.meaning(ref, **asked)
    assert found.kept is not None
    assert (found.plan(), found.hits, found.choices) == (None, (), ())
    return found.kept.receipt


def test_words_are_a_question_to_the_hub(home: Home) -> None:
    found = home.meaning("tiny")

    assert [one.repo for one in found.hits] == [REPO, OLD]
    assert (found.plan(), found.chosen, found.kept) == (None, None, None)
    with pytest.raises(NothingFoundError, match="no GGUF model called `nowhere`"):
        home.meaning("nowhere")


def test_a_repository_with_several_quants_is_to_choose_from_smallest_first(home: Home) -> None:
    found = home.meaning(REPO)

    assert [one.quant for one in found.choices] == ["q2_k", "q4_k_m"]
    assert (found.plan(), found.chosen) == (None, None)
    assert [home.resolver.fits(one) for one in found.choices] == [True, True]


@pytest.mark.parametrize(
    ("ref", "asked"),
    [
        (f"{REPO}:Q4_K_M", {}),
        (f"hf.co/{REPO}:q4_k_m", {}),
        (f"https://huggingface.co/{REPO}/blob/main/{FILE}", {}),
        (f"{REPO}/{FILE}", {}),
        (REPO, {"quant": "Q4_K_M"}),
        (f"{REPO}:Q4_K_M", {"source": "hub"}),
        (f"{REPO}:Q4_K_M", {"revision": "main"}),
    ],
)
def test_whatever_names_one_artifact_is_a_plan(home: Home, hub: FakeHub, ref: str, asked: dict[str, str]) -> None:
    plan = home.plan(ref, **asked)

    assert (plan.repo, plan.model_id, plan.version) == (REPO, ID, "main")
    assert [one.path for one in plan.files] == [FILE]
    assert plan.revision == hub.shelf.repos[REPO].head.id
    assert plan.ref == ref


def test_an_id_is_looked_for_where_it_is_downloaded_most(home: Home, hub: FakeHub) -> None:
    assert (home.plan(ID).repo, home.plan(ID).files[0].path) == (REPO, FILE)

    hub.add(OLD, {}, downloads=5000)
    assert home.plan(ID).repo == OLD
    with pytest.raises(NothingFoundError, match=r"has `tiny:1b:base:q8_0`.*thorp search tiny"):
        home.meaning("tiny:1b:base:q8_0")


def test_B33_repositories_that_cannot_be_trusted_or_seen_are_passed_over_for_an_id(home: Home, hub: FakeHub) -> None:
    bad = {"Tiny-1B-Q4_K_M.gguf": b"x" * 20_000, "tiny-1b-q4_k_m.gguf": b"y" * 20_000}
    hub.add("evil/Tiny-1B-GGUF", bad, downloads=10_000)
    hub.add("gone/Tiny-1B-GGUF", {FILE: b"z" * 20_000}, downloads=9_000)
    hub.faults.add(Fault(FaultKind.SERVER_ERROR, repo="gone/Tiny-1B-GGUF", times=None))

    assert home.plan(ID).repo == REPO
    hub.faults.add(Fault(FaultKind.SERVER_ERROR, repo="*/Tiny-1B-GGUF", times=None))
    with pytest.raises(NetworkError):
        home.meaning(ID)


def test_what_is_here_needs_no_network(home: Home, hub: FakeHub) -> None:
    receipt = home.pull(home.plan(f"{REPO}:Q4_K_M"))
    give(home.library, "fast", receipt)
    hub.stop()

    for ref in (ID, REPO, f"{REPO}:Q4_K_M", f"{REPO}@{receipt.revision}", f"{REPO}@main", f"{REPO}/{FILE}", "FAST"):
        assert kept(home, ref).key == receipt.key


def test_an_alias_wins_over_whatever_the_hub_calls_so(home: Home, hub: FakeHub) -> None:
    receipt = give(home.library, "tiny", home.pull(home.plan(f"{REPO}:Q4_K_M")))
    hub.forget()

    assert kept(home, "tiny") == receipt
    assert hub.log == ()


def test_a_quant_that_is_not_here_is_asked_for(home: Home, hub: FakeHub) -> None:
    home.pull(home.plan(f"{REPO}:Q4_K_M"))

    assert home.plan(f"{REPO}:Q2_K").quant == "q2_k"
    assert home.plan(REPO, quant="Q2_K").quant == "q2_k"
    hub.stop()
    for ref, asked in ((f"{REPO}:Q2_K", {}), (REPO, {"quant": "Q2_K"})):
        with pytest.raises(NetworkError):
            home.meaning(ref, **asked)


def test_offline_a_query_finds_what_the_library_has(home: Home, hub: FakeHub) -> None:
    receipt = home.pull(home.plan(f"{REPO}:Q4_K_M"))
    hub.stop()

    assert kept(home, "tiny") == receipt
    assert kept(home, REPO, revision="main") == receipt
    assert kept(home, REPO, revision=receipt.revision) == receipt
    assert kept(home, REPO, source="hub") == receipt
    for ref, asked in (("huge", {}), (REPO, {"revision": "f" * 40}), (OLD, {})):
        with pytest.raises(NetworkError):
            home.meaning(ref, **asked)


def test_B30_a_hub_that_wants_fewer_requests_does_not_hide_what_is_here(home: Home, hub: FakeHub) -> None:
    receipt = home.pull(home.plan(f"{REPO}:Q4_K_M"))
    hub.faults.add(Fault(FaultKind.RATE_LIMITED, seconds=600, times=None))

    assert kept(home, REPO) == kept(home, "tiny") == kept(home, REPO, revision="main") == receipt
    with pytest.raises(TryAgainError) as refused:
        home.meaning(f"{REPO}:Q2_K")
    assert refused.value.retry_after == 600


def test_an_id_that_two_repositories_have_is_asked_about(home: Home, hub: FakeHub) -> None:
    home.pull(home.plan(f"{REPO}:Q4_K_M"))
    home.pull(home.plan(OLD))
    hub.forget()

    with pytest.raises(AmbiguousError) as several:
        home.meaning(ID)

    assert several.value.exit_code == 8
    listed = " ".join(one["ref"] for one in several.value.details["choices"])
    assert REPO in listed
    assert OLD in listed
    assert hub.log == ()
    assert kept(home, OLD).repo == OLD


def test_offline_several_in_the_library_are_listed(home: Home, hub: FakeHub) -> None:
    for quant in ("Q2_K", "Q4_K_M"):
        home.pull(home.plan(f"{REPO}:{quant}"))
    assert len(home.meaning(REPO).choices) == 2
    hub.stop()

    with pytest.raises(AmbiguousError, match="means 2 models") as several:
        home.meaning(REPO)
    assert all(one["ref"].startswith(f"{REPO}@") for one in several.value.details["choices"])
    with pytest.raises(AmbiguousError):
        home.meaning("tiny")


def test_without_anybody_to_ask_the_most_downloaded_and_the_usual_is_taken(home: Home, hub: FakeHub) -> None:
    chosen = home.resolver.first_choice(home.meaning("tiny")).plan()
    assert chosen is not None
    assert (chosen.repo, chosen.quant) == (REPO, "q4_k_m")

    assert home.resolver.first_choice(home.meaning(f"{REPO}:Q2_K")) == home.meaning(f"{REPO}:Q2_K")
    home.pull(home.plan(f"{REPO}:Q2_K"))
    assert home.resolver.first_choice(home.meaning(f"{REPO}:Q2_K")).kept is not None


def test_what_fits_depends_on_the_machine(home: Home) -> None:
    def on(total: int | None) -> Resolver:
        return replace(home.resolver, machine=lambda: MachineSnapshot(total, total, 0.0))

    choices = home.meaning(REPO).choices
    assert [on(total).fit(10**9) for total in (16 << 30, 2 << 30, 1 << 30, None)] == [
        Fit.FITS,
        Fit.TIGHT if 1_600_000_000 * 100 > (2 << 30) * 75 else Fit.FITS,
        Fit.TOO_BIG,
        None,
    ]
    assert on(None).recommended(choices).quant == "q4_k_m"
    assert on(1).recommended(choices).quant == "q2_k"


def test_a_source_that_is_not_there_is_told(home: Home, hub: FakeHub) -> None:
    hub.forget()
    with pytest.raises(NoSuchSourceError, match="no source `swarm` yet"):
        home.meaning(REPO, source="swarm")
    assert hub.log == ()


@pytest.mark.parametrize("ref", [ID, REPO, f"{REPO}:Q4_K_M", f"{REPO}@main", "fast"])
def test_C44_what_lies_on_a_disk_that_is_away_is_never_fetched_again(home: Home, hub: FakeHub, ref: str) -> None:
    give(home.library, "fast", home.pull(home.plan(f"{REPO}:Q4_K_M")))
    (home.top / "hub").rename(home.top / "unmounted")
    (home.top / "hub").mkdir()
    hub.forget()

    with pytest.raises(StoreAwayError, match="Nothing was fetched"):
        home.meaning(ref)
    assert hub.log == ()
    (home.top / "hub").rmdir()
    (home.top / "unmounted").rename(home.top / "hub")
    assert kept(home, ref).model_id == ID


def test_what_is_damaged_is_fetched_again(home: Home) -> None:
    receipt = home.pull(home.plan(f"{REPO}:Q4_K_M"))
    home.blob(receipt.files[0].sha256).unlink()

    assert home.plan(f"{REPO}:Q4_K_M").revision == receipt.revision
    assert home.pull(home.plan(f"{REPO}:Q4_K_M")).files == receipt.files


def test_a_repository_that_was_renamed_is_pulled_under_its_new_name(home: Home, hub: FakeHub) -> None:
    hub.rename(OLD, "new/Tiny-1B-GGUF")

    plan = home.plan(OLD)
    receipt = home.pull(plan)

    assert plan.repo == receipt.repo == "new/Tiny-1B-GGUF"
    assert home.library.state(receipt).complete


def test_B31_what_moved_under_its_branch_is_pinned_to_its_commit(home: Home, hub: FakeHub, tmp_path: Path) -> None:
    plan = home.plan(OLD)
    newer = hub.add(OLD, {FILE: a_model(tmp_path / "made", 710_000, seed=9, name="newer.gguf")})

    receipt = home.pull(plan)

    assert receipt.revision == plan.revision != newer
    assert kept(home, OLD) == receipt, "what is here stays what a name means"
    again = home.plan(OLD, revision="main")
    assert again.revision == newer
    second = home.pull(again)
    assert home.plan(f"{OLD}@{newer}", source="hub").revision == newer
    assert {one.revision for one in home.library.receipts()} == {plan.revision, newer}
    assert second.files != receipt.files


@pytest.mark.parametrize("what", ["no such repository", "no such revision"])
def test_what_does_not_exist_is_told_and_not_looked_for_here(home: Home, what: str) -> None:
    home.pull(home.plan(OLD))

    with pytest.raises(NotFoundError):
        home.meaning("org/nothing") if what == "no such repository" else home.meaning(OLD, revision="0" * 40)


def test_B33_names_that_collide_and_lists_without_end_are_refused(home: Home, hub: FakeHub) -> None:
    hub.add("evil/Case-1B-GGUF", {"A-1B-Q4_0.gguf": b"x" * 20_000, "a-1b-q4_0.gguf": b"y" * 20_000})
    hub.add("evil/Many-1B-GGUF", {f"{number}.json": b"{}" for number in range(20_001)})

    with pytest.raises(CollidingNamesError):
        home.meaning("evil/Case-1B-GGUF")
    with pytest.raises((TooManyFilesError, IntegrityError, NetworkError)):
        home.meaning("evil/Many-1B-GGUF")


def test_an_imported_model_is_found_without_the_hub(home: Home, hub: FakeHub) -> None:
    receipt = an_artifact(home.library, "local/mine", version="local", model_id="mine:7b:base:q4_k_m")
    hub.stop()

    assert kept(home, "mine:7b:base:q4_k_m") == kept(home, "local/mine") == receipt


def test_two_threads_may_ask_at_once(home: Home) -> None:
    found: list[str] = []
    asking = [threading.Thread(target=lambda: found.append(home.plan(OLD).model_id)) for _ in range(4)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    assert found == [ID] * 4
    assert Ask(OLD).by_name


def test_two_words_for_the_quantisation_that_differ_are_refused(home: Home, hub: FakeHub) -> None:
    with pytest.raises(BadRefError, match="Leave one out"):
        home.meaning(f"{REPO}:Q4_K_M", quant="q2_k")
    chosen = home.meaning(f"{REPO}:Q4_K_M", quant="q4-k-m").chosen
    assert chosen is not None
    assert chosen.quant == "q4_k_m"


def test_the_dtype_of_a_folder_is_what_the_hub_counts_most_of(home: Home, hub: FakeHub, tmp_path: Path) -> None:
    weights = tiny_safetensors(tmp_path / "model.safetensors", dtype="BF16")
    files = {one.name: one for one in weights} | {"config.json": b"{}"}
    hub.add("meta/Folder-8B-Instruct", files, parameters=8_030_000_000)

    chosen = home.meaning("meta/Folder-8B-Instruct").chosen

    assert chosen is not None
    assert chosen.model_id == "folder:8b:instruct:bf16"
