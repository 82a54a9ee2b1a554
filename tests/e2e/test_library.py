"""The library through all of its faces: what is there, whether it is whole, what is wrong with it, and repaired."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.library_house import (
    PIECE,
    Home,
    Told,
    Verb,
    brought,
    download,
    flip,
    gguf,
    model_path,
)
from tests.e2e.library_stock import BIG, BIG_FILE, BIG_ID, PAIR, PAIR_FILES, PAIR_IDS, Stock, stocked
from thorp.testing.hub import FakeHub
from thorp.testing.process import NodeProcess


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with stocked(tmp_path_factory.mktemp("stock")) as found:
        yield found


@pytest.fixture
def home(stock: Stock) -> Iterator[Home]:
    with stock.home() as home:
        yield home


@pytest.fixture
def hub(stock: Stock) -> FakeHub:
    return stock.hub


@pytest.fixture
def served(home: Home) -> Iterator[Home]:
    """The home with a node that runs, which does the work of the commands."""
    with home.node():
        yield home


# Every face


def verb(words: str, method: str, path: str, **body: Any) -> Verb:
    return Verb(("models", *words.split()), method, path, body or None)


def show(ref: str) -> Verb:
    return verb(f"show {ref}", "GET", model_path(ref))


def verify(ref: str) -> Verb:
    return verb(f"verify {ref}", "POST", model_path(ref, "/verify"))


LIST = verb("", "GET", "models")
EXACT = f"{PAIR}/{PAIR_FILES[1]}"


def damage_second_piece(home: Home) -> None:
    (blob,) = (home.stored(BIG) / "blobs").iterdir()
    flip(blob, PIECE + 77)


def folder_to_import(home: Home) -> None:
    gguf(home.folder.parent / "mine" / "local-models", "own-3b-instruct-Q4_0.gguf", seed=9)


STORY: tuple[Verb | Callable[[Home], None], ...] = (
    LIST,
    *map(show, (BIG_ID, f"{BIG}@main:Q4_K_M", EXACT, "pair", "nothing")),
    verb("verify --all", "POST", "models/verify"),
    verify("nothing"),
    damage_second_piece,
    verify(BIG),
    verb(f"repair {BIG}", "POST", model_path(BIG, "/repair")),
    verify(BIG_ID),
    verb(f"alias fast {PAIR}:q8_0", "PUT", "models/aliases/fast", ref=f"{PAIR}:q8_0"),
    show("FAST"),
    verb(f"alias Fast {BIG_ID}", "PUT", "models/aliases/Fast", ref=BIG_ID),
    LIST,
    verb("alias a%b big", "PUT", "models/aliases/a%25b", ref="big"),
    verb("unalias FAST", "DELETE", "models/aliases/FAST"),
    show("fast"),
    verb(f"rm {PAIR}:q4_k_m --dry-run", "DELETE", f"models/{PAIR}:q4_k_m?dry_run=true"),
    verb("prune --dry-run --older-than 0s", "POST", "models/prune", dry_run=True, older_than=0),
    verb("prune --yes", "POST", "models/prune"),
    verb(f"rm {PAIR}:q4_k_m --yes", "DELETE", model_path(f"{PAIR}:q4_k_m")),
    verb("rescan", "POST", "models/rescan"),
    folder_to_import,
    verb(
        "import IMPORT --name me/Own-3B-GGUF --license mit",
        "POST",
        "models/import",
        name="me/Own-3B-GGUF",
        license="mit",
    ),
    show("me/Own-3B-GGUF"),
    verb("import IMPORT/nowhere", "POST", "models/import"),
    LIST,
)


def in_place(step: Verb, home: Home) -> Verb:
    """With the folder that is imported, which only the running test knows."""
    mine = str(home.folder.parent / "mine")
    if "IMPORT" not in " ".join(step.words):
        return step
    words = tuple(word.replace("IMPORT", mine) for word in step.words)
    path = next(word for word in words if word.startswith(mine))
    return Verb(words, step.method, step.path, (step.body or {}) | {"path": path})


def without_moments(value: Any) -> Any:
    """The same with every moment cut to its form: each face has its own time."""
    if isinstance(value, dict):
        return {
            key: len(one) if key in ("downloaded_at", "verified_at") else without_moments(one)
            for key, one in value.items()
        }
    return [without_moments(one) for one in value] if isinstance(value, list) else value


def tell(home: Home, ask: Callable[[Verb], Told]) -> list[tuple[str, Told]]:
    found: list[tuple[str, Told]] = []
    for step in STORY:
        if isinstance(step, Verb):
            here = in_place(step, home)
            answer = ask(here)
            found.append((" ".join(step.words), Told(answer.code, without_moments(answer.data))))
        else:
            step(home)
    shutil.rmtree(home.folder.parent / "mine")
    return found


@pytest.fixture(scope="module")
def stories(stock: Stock) -> dict[str, list[tuple[str, Told]]]:
    found: dict[str, list[tuple[str, Told]]] = {}
    for face in ("alone", "node", "rest"):
        with stock.home() as home:
            if face == "alone":
                found[face] = tell(home, lambda one, home=home: one.alone(home))
            else:
                with home.node() as node:
                    found[face] = tell(home, one_of(face, home, node))
    return found


def one_of(face: str, home: Home, node: NodeProcess) -> Callable[[Verb], Told]:
    return (lambda one: one.alone(home)) if face == "node" else (lambda one: one.by_rest(node))


def test_every_face_of_the_library_answers_the_same(stories: dict[str, list[tuple[str, Told]]]) -> None:
    for alone, node, rest in zip(stories["alone"], stories["node"], stories["rest"], strict=True):
        assert node == alone
        assert rest == alone


def test_the_library_tells_what_was_done_to_it(stories: dict[str, list[tuple[str, Told]]]) -> None:
    steps = iter(stories["alone"])

    def following(start: str) -> Told:
        words = f"models {start}".strip()
        return next(one for said, one in steps if (said.startswith(words) if start else said == words))

    assert [one["model_id"] for one in following("").data["models"]] == [BIG_ID, *PAIR_IDS]
    for _ in range(3):
        assert following("show").code == 0
    assert following("show pair").data == "models.ambiguous"
    assert following("show nothing") == Told(3, "models.no_such_model")
    everything = following("verify --all")
    assert (everything.code, len(everything.data["models"])) == (0, 3)
    assert following("verify nothing").code == 3
    bad = following("verify")
    assert bad.code == 6
    assert bad.data["models"][0]["files"] == [
        {"path": BIG_FILE, "ok": False, "problem": bad.data["models"][0]["files"][0]["problem"], "bad_pieces": [1]}
    ]
    assert following("repair").data["fetched"] == PIECE
    assert following("verify").code == 0
    assert following("alias fast").data["model_id"] == PAIR_IDS[1]
    assert following("show FAST").data["model_id"] == PAIR_IDS[1]
    assert following("alias Fast").data["model_id"] == BIG_ID
    assert [one["aliases"] for one in following("").data["models"]] == [["Fast"], [], []]
    assert following("alias a%b") == Told(2, "models.bad_alias")
    assert following("unalias").code == 0
    assert following("show fast").code == 3
    assert following("rm").data["dry_run"] is True
    assert [one["what"] for one in following("prune --dry-run").data["removed"]] == [BIG_ID, *PAIR_IDS]
    assert following("prune --yes").data["removed"] == []
    assert following("rm").data["removed"][0]["what"] == PAIR_IDS[0]
    assert following("rescan").data == {"models": 2, "unreadable": []}
    assert following("import").data["imported"][0]["model_id"] == "own:3b:instruct:q4_0"
    assert following("show").data["license"] == "mit"
    assert following("import").code == 3
    assert len(following("").data["models"]) == 3


# Damage


def test_repair_fetches_only_the_piece_that_is_bad(served: Home, hub: FakeHub) -> None:
    blob = served.blob(BIG)
    before = blob.read_bytes()
    flip(blob, PIECE + 1)
    done = served.thorp("models", "verify", BIG)
    assert done.returncode == 6
    assert BIG_FILE in done.stdout
    assert "piece 1" in done.stdout

    hub.forget()
    assert served.ok("models", "repair", BIG)["fetched"] == PIECE
    spans = hub.fetched(f"{BIG}/{BIG_FILE}")
    assert (min(first for first, _ in spans), max(end for _, end in spans)) == (PIECE, 2 * PIECE)
    assert hub.bytes_sent(f"{BIG}/{BIG_FILE}") == PIECE
    assert served.ok("models", "verify", BIG)["ok"]
    assert served.blob(BIG).read_bytes() == before


def test_repair_of_a_sound_model_fetches_nothing(home: Home, hub: FakeHub) -> None:
    assert home.ok("models", "repair", BIG)["fetched"] == 0
    assert not hub.log


@pytest.mark.parametrize("whole", [True, False])
def test_C36_zeros_after_a_power_cut_are_found_and_repaired(served: Home, hub: FakeHub, whole: bool) -> None:
    blob = served.blob(BIG)
    before = blob.read_bytes()
    zeros = bytes(len(before)) if whole else before[:PIECE] + bytes(PIECE) + before[2 * PIECE :]
    blob.write_bytes(zeros)
    done = served.thorp("models", "verify", "--all")
    assert done.returncode == 6
    assert "only zeros" in " ".join(done.stdout.split())
    assert "2 of 3 models are whole" in done.stdout
    served.ok("models", "repair", BIG)
    assert hub.bytes_sent(f"{BIG}/{BIG_FILE}") == (len(before) if whole else PIECE)
    assert served.blob(BIG).read_bytes() == before
    assert served.ok("models", "verify", BIG)["ok"]


def test_C42_a_truncated_file_is_missing_and_repaired(home: Home, hub: FakeHub) -> None:
    blob = home.blob(BIG)
    before = blob.read_bytes()
    os.truncate(blob, PIECE + 5)
    (row,) = [one for one in home.models() if one["repo"] == BIG]
    assert row["state"] == "missing"
    code, verdict = home.thorp("models", "verify", BIG, "--json"), None
    assert code.returncode == 6
    verdict = json.loads(code.stdout)["models"][0]["files"][0]
    assert "too short" in verdict["problem"]
    assert verdict["bad_pieces"] == [1, 2]
    home.ok("models", "repair", BIG)
    assert hub.bytes_sent(f"{BIG}/{BIG_FILE}") == len(before) - PIECE
    assert home.blob(BIG).read_bytes() == before


def test_C42_a_pull_of_a_damaged_model_does_not_say_that_it_is_here(home: Home) -> None:
    os.truncate(home.blob(BIG), 100)
    home.pull(BIG)
    assert home.ok("models", "verify", BIG)["ok"]


def test_C43_a_link_that_was_put_into_the_store_is_never_followed(served: Home, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(served.blob(BIG).read_bytes())  # even the right bytes
    entry, blob = served.entry(BIG), served.blob(BIG)
    outside = secret.stat()

    entry.unlink()
    entry.symlink_to(secret)
    done = served.thorp("models", "verify", BIG)
    assert (done.returncode, "was not read" in " ".join(done.stdout.split())) == (6, True)

    blob.unlink()
    blob.symlink_to(secret)
    assert served.thorp("models", "verify", BIG).returncode == 6
    assert served.thorp("models", "export", BIG, str(tmp_path / "out.tar")).returncode == 3
    assert not (tmp_path / "out.tar").exists()

    served.ok("models", "repair", BIG)
    assert served.ok("models", "verify", BIG)["ok"]
    assert not served.blob(BIG).is_symlink()
    assert served.blob(BIG).is_relative_to(served.folder)
    assert secret.stat().st_mtime_ns == outside.st_mtime_ns
    served.ok("models", "rm", BIG, "--yes")
    assert secret.exists()


def test_C43_a_folder_of_the_store_that_became_a_link_is_never_entered(home: Home, tmp_path: Path) -> None:
    blobs = home.stored(BIG) / "blobs"
    shutil.copytree(blobs, tmp_path / "blobs")
    shutil.rmtree(blobs)
    blobs.symlink_to(tmp_path / "blobs")
    assert home.thorp("models", "verify", BIG).returncode == 6
    assert home.thorp("models", "export", BIG, str(tmp_path / "out.tar")).returncode == 6
    assert not (tmp_path / "out.tar").exists()


# Names of the owner's own


def test_an_alias_counts_wherever_a_ref_does(home: Home, hub: FakeHub) -> None:
    with home.node() as node:
        home.ok("models", "alias", "Fast", BIG_ID)
        for name in ("fast", "FAST"):
            assert home.ok("models", "show", name)["model_id"] == BIG_ID
            assert home.pull(name)["model_id"] == BIG_ID
            assert home.ok("models", "verify", name)["models"][0]["model_id"] == BIG_ID
            assert home.ok("models", "rm", name, "--dry-run")["removed"][0]["what"] == BIG_ID
        assert download(node, "fast").data["model_id"] == BIG_ID
        assert node.owner().request("GET", "/api/v1/models/fast").data["model_id"] == BIG_ID
        moved = node.owner().request("PUT", "/api/v1/models/aliases/FAST", {"ref": f"{PAIR}:q8_0"})
        assert moved.data["model_id"] == PAIR_IDS[1]
        assert home.ok("models", "show", "fast")["model_id"] == PAIR_IDS[1]
        assert home.ok("models", "show", BIG_ID)["aliases"] == []
    assert home.pull("FAST")["model_id"] == PAIR_IDS[1]
    assert not hub.log  # nothing of it was asked of the hub
    home.ok("models", "rm", "fast", "--yes")
    assert home.thorp("models", "show", "fast").returncode == 3
    assert home.ok("models", "show", PAIR)["model_id"] == PAIR_IDS[0]


def test_an_alias_that_could_be_taken_for_something_else_is_refused(served: Home) -> None:
    for name in ("a/b", "a:b", "", "-a", "a b", "x" * 65, "\u0430lias", "a\nb", ".hidden"):
        assert served.thorp("models", "alias", "--", name, BIG_ID).returncode == 2, name
    assert all(one["aliases"] == [] for one in served.models())


# Names with slashes


def test_routes_take_names_with_slashes_and_verbs_only_for_their_method(home: Home, hub: FakeHub) -> None:
    odd = "org/verify"
    hub.add(odd, {"verify-7b-instruct-Q4_K_M.gguf": gguf(home.folder.parent / "src", "v.gguf", seed=51)})
    with home.node() as node:
        assert brought(node, odd)["state"] == "done"
        owner = node.owner()
        assert owner.request("GET", "/api/v1/models/org/verify").data["repo"] == odd
        assert owner.request("POST", "/api/v1/models/org/verify/verify").data["models"][0]["ref"].startswith(odd)
        assert owner.request("GET", f"/api/v1/models/{odd}@main").data["repo"] == odd
        assert owner.request("GET", f"/api/v1/models/{BIG}/{BIG_FILE}").data["repo"] == BIG
        assert owner.request("GET", f"/api/v1/models/{BIG.replace('/', '%2F')}").data["repo"] == BIG
        assert owner.request("GET", f"/api/v1/models/{BIG_ID}").data["repo"] == BIG
        for path in ("../models", "org/..%2f..%2fkeys", "%00", "a%0d%0ab", "//", "org/x/../../y", "~/x"):
            assert owner.request("GET", f"/api/v1/models/{path}").status in (400, 404), path
        assert owner.request("DELETE", "/api/v1/models/org/verify").status == 200
        assert owner.request("GET", "/api/v1/models/org/verify").status == 404
        assert len(home.models()) == 3
