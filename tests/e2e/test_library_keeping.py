"""What goes from the library and what stays, whatever happens to its index, its receipts and its disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.library_house import (
    PIECE,
    Home,
    download,
    fetch_by_hf,
    gguf,
    model_path,
    room,
    tree,
)
from tests.e2e.library_stock import BIG, BIG_FILE, BIG_ID, PAIR, PAIR_FILES, PAIR_IDS, Stock, stocked
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.process import environment_of, until


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


# Removing


def test_shared_files_of_two_artifacts_stay_with_the_other(served: Home) -> None:
    eyes = served.blob(f"{PAIR}:q8_0", "mmproj-F16.gguf")
    mine = served.blob(f"{PAIR}:q4_k_m", PAIR_FILES[0])
    assert served.blob(f"{PAIR}:q4_k_m", "mmproj-F16.gguf") == eyes
    preview = served.ok("models", "rm", f"{PAIR}:q4_k_m", "--dry-run")
    assert preview["freed_bytes"] == mine.stat().st_size
    assert mine.exists()

    asked = served.thorp("models", "rm", f"{PAIR}:q4_k_m", "--json")  # nobody is there who could be asked
    assert (asked.returncode, mine.exists()) == (2, True)

    assert served.ok("models", "rm", f"{PAIR}:q4_k_m", "--yes")["freed_bytes"] == preview["freed_bytes"]
    assert (mine.exists(), eyes.exists()) == (False, True)
    assert served.ok("models", "verify", PAIR)["ok"]
    shared = eyes.stat().st_size
    assert served.ok("models", "rm", PAIR, "--yes")["freed_bytes"] > shared
    assert not served.stored(PAIR).exists()


def test_C40_what_is_on_its_way_is_not_removed(home: Home, hub: FakeHub) -> None:
    os.truncate(home.blob(BIG), 100)
    with home.node() as node:
        hub.faults.add(Fault(FaultKind.STALL, path=BIG_FILE, after=100_000, times=None))
        transfer = download(node, BIG).data["transfer_id"]
        until(lambda: hub.fetched(f"{BIG}/{BIG_FILE}"), "the transfer begins")
        for words in (("rm", BIG, "--dry-run"), ("rm", BIG, "--yes")):
            code, error = home.fails("models", *words)
            assert (code, error["code"]) == (8, "models.in_transfer")
            assert transfer in error["message"]
        refused = node.owner().request("DELETE", f"/api/v1/{model_path(BIG)}")
        assert (refused.status, refused.data["error"]["code"]) == (409, "models.in_transfer")
        assert node.owner().request("DELETE", f"/api/v1/transfers/{transfer}").data["state"] == "cancelled"
        hub.faults.clear()
        home.ok("models", "rm", BIG, "--yes")
        assert BIG not in {one["repo"] for one in home.models()}


def exporting(home: Home, target: Path) -> "subprocess.Popen[bytes]":
    """An export of another process, stopped in the middle of its work."""
    command = [sys.executable, "-m", "thorp", "models", "export", BIG, str(target)]

    def stopped() -> "subprocess.Popen[bytes] | None":
        target.unlink(missing_ok=True)
        process = subprocess.Popen(command, env=environment_of(home.folder), stdout=subprocess.DEVNULL)
        until(lambda: list(target.parent.glob("*.unfinished")) or process.poll() is not None, "the export writes")
        process.send_signal(signal.SIGSTOP)
        if process.poll() is None:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if list(target.parent.glob("*.unfinished")):
                return process
            process.send_signal(signal.SIGCONT)
        process.wait()
        return None

    return until(stopped, "an export is caught in the middle")


@pytest.mark.parametrize("with_node", [False, True])
def test_C40_what_another_process_exports_is_not_removed(home: Home, tmp_path: Path, with_node: bool) -> None:
    def refused() -> None:
        for words in (("rm", BIG, "--yes"), ("prune", "--older-than", "0s", "--yes")):
            done = home.thorp("models", *words, "--json")
            if words[0] == "rm":
                assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (8, "models.in_use")
            else:
                assert BIG_ID not in {one["what"] for one in json.loads(done.stdout)["removed"]}

    process = exporting(home, tmp_path / "out.tar")
    try:
        if with_node:
            with home.node():
                refused()
        else:
            refused()
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.wait() == 0
    assert (tmp_path / "out.tar").stat().st_size > 2 * PIECE
    home.ok("models", "rm", BIG, "--yes")


# Pruning


def test_C41_prune_clears_what_nothing_goes_on_with_and_nothing_else(home: Home, hub: FakeHub) -> None:
    repo, name = "org/Left-7B-Instruct-GGUF", "left-7b-instruct-Q4_K_M.gguf"
    hub.add(repo, {name: gguf(home.folder.parent / "src", name, seed=21, pad_to=3_000_000)})
    with home.node() as node:
        hub.faults.add(Fault(FaultKind.STALL, path=name, after=1_500_000, times=None))
        transfer = download(node, repo).data["transfer_id"]
        partials = home.stored(repo) / ".thorp" / "partial"
        until(lambda: node.owner().request("GET", f"/api/v1/transfers/{transfer}").data["done"], "some bytes")
        node.owner().request("PUT", f"/api/v1/transfers/{transfer}/pause")
        soon = {"older_than": 0, "dry_run": True}
        kinds = {one["what"] for one in node.owner().request("POST", "/api/v1/models/prune", soon).data["removed"]}
        assert "partial" not in kinds  # a paused transfer goes on with it

        cancelled = node.owner().request("DELETE", f"/api/v1/transfers/{transfer}", {"keep_partial": True})
        assert cancelled.data["state"] == "cancelled", cancelled
        assert home.ok("models", "prune", "--dry-run")["removed"] == []  # it is young
        (folder,) = partials.iterdir()
        for file in folder.iterdir():
            os.utime(file, (2e9 * 2, 2e9 * 2))  # as of a clock that went back since
        kinds = {one["what"] for one in node.owner().request("POST", "/api/v1/models/prune", soon).data["removed"]}
        assert "partial" not in kinds
        for file in folder.iterdir():
            os.utime(file)
        for number, ref in enumerate((BIG_ID, f"{PAIR}:q4_k_m", f"{PAIR}:q8_0")):
            home.ok("models", "alias", f"keep-{number}", ref)
        preview = home.ok("models", "prune", "--older-than", "0s", "--dry-run")
        assert [one["what"] for one in preview["removed"]] == ["partial"]
        assert folder.exists()
        gone = home.ok("models", "prune", "--older-than", "0s", "--yes")
        assert [one["what"] for one in gone["removed"]] == ["partial"]
        assert not home.stored(repo).exists()
        assert home.ok("models", "verify", "--all")["ok"]


def test_C41_prune_clears_quarantined_bytes(served: Home, hub: FakeHub) -> None:
    repo, name = "org/Wrong-7B-Instruct-GGUF", "wrong-7b-instruct-Q4_K_M.gguf"
    hub.add(repo, {name: gguf(served.folder.parent / "src", name, seed=22)})
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=name, after=0, at=1000, times=None))
    assert served.thorp("pull", repo).returncode == 6
    assert repo not in {one["repo"] for one in served.models()}
    quarantine = served.stored(repo) / ".thorp" / "quarantine"
    assert list(quarantine.iterdir())
    assert {one["what"] for one in served.ok("models", "prune", "--dry-run")["removed"]} == {"quarantine"}
    assert {one["what"] for one in served.ok("models", "prune", "--yes")["removed"]} == {"quarantine"}
    assert not served.stored(repo).exists()


def test_B31_C41_a_newer_revision_replaces_the_older_one_only_when_it_is_pulled(served: Home, hub: FakeHub) -> None:
    repo, name = "org/Moving-7B-Instruct-GGUF", "moving-7b-instruct-Q4_K_M.gguf"
    first = hub.add(repo, {name: gguf(served.folder.parent / "src", name, seed=31)})
    served.pull(repo)
    second = hub.add(repo, {name: gguf(served.folder.parent / "src", name, seed=32)})
    assert served.pull(repo)["revision"] == first  # pinned: what is here stays what it is
    assert served.pull(repo, "--revision", "main")["revision"] == second
    assert {one["revision"] for one in served.models() if one["repo"] == repo} == {first, second}

    older, newer = f"{repo}@{first}", f"{repo}@{second}"
    served.ok("models", "alias", "old", older)
    assert served.ok("models", "prune", "--yes")["removed"] == []  # the owner's own name for it keeps it
    served.ok("models", "unalias", "old")

    receipt = served.receipt(newer)
    right = receipt.read_text()
    moment = json.loads(right)["downloaded_at"]
    receipt.write_text(right.replace(f'"downloaded_at": "{moment}"', '"downloaded_at": "2099-01-01T00:00:00.000Z"'))
    served.ok("models", "rescan")
    assert served.ok("models", "prune", "--yes")["removed"] == []  # a receipt from the future proves nothing
    receipt.write_text(right)
    served.ok("models", "rescan")

    (gone,) = served.ok("models", "prune", "--yes")["removed"]
    assert (gone["ref"], gone["reason"]) == (f"{older}:q4_k_m", "a newer revision of it is here")
    assert served.ok("models", "verify", newer)["ok"]
    assert served.thorp("models", "show", older).returncode == 3


def test_C41_prune_with_the_clock_in_the_past_loses_no_model(served: Home) -> None:
    served.ok("models", "verify", "--all")
    locks = list((served.folder / "data" / "receipts").rglob("lock"))
    assert len(locks) == 3
    for lock in locks:
        os.utime(lock, (4e9, 4e9))  # used in a future that has not come yet
    assert served.ok("models", "prune", "--older-than", "0s", "--yes")["removed"] == []
    assert len(served.models()) == 3


def test_prune_leaves_alone_what_another_program_fetched(served: Home, hub: FakeHub) -> None:
    repo, name = "org/Theirs-7B-Instruct-GGUF", "theirs-7b-instruct-Q4_K_M.gguf"
    hub.add(repo, {name: gguf(served.folder.parent / "src", name, seed=41)})
    at = fetch_by_hf(hub, repo, name, served.folder / "hub")
    orphan = at.resolve().with_name("ab" * 32)
    orphan.write_bytes(b"an unnamed file of another program")
    before = tree(served.stored(repo))
    served.ok("models", "prune", "--older-than", "0s", "--yes")
    assert served.models() == []
    assert tree(served.stored(repo)) == before


# The index and the receipts


@pytest.mark.parametrize("pattern", ["library.db*", "*.db*"])
@pytest.mark.parametrize("with_node", [False, True])
def test_losing_the_database_loses_nothing(home: Home, pattern: str, with_node: bool) -> None:
    home.ok("models", "alias", "fast", BIG_ID)
    before = home.ok("models")
    for file in (home.folder / "data").glob(pattern):
        file.unlink()
    if with_node:
        with home.node() as node:
            assert node.owner().request("GET", "/api/v1/models").data == before
            assert node.owner().request("POST", "/api/v1/models/rescan").data == {"models": 3, "unreadable": []}
            assert home.ok("models") == before
    else:
        assert home.ok("models") == before
        assert home.ok("models", "rescan") == {"models": 3, "unreadable": []}
    assert home.ok("models", "show", "fast")["model_id"] == BIG_ID


def test_a_damaged_index_is_made_anew(home: Home) -> None:
    before = home.ok("models")
    (home.folder / "data" / "library.db").write_bytes(b"no database" * 1000)
    assert home.ok("models") == before


def test_rescan_finds_receipts_that_came_and_went(served: Home, tmp_path: Path) -> None:
    receipt = served.receipt(BIG).parent
    shutil.move(receipt, tmp_path / "away")
    assert served.ok("models", "rescan")["models"] == 2
    shutil.move(tmp_path / "away", receipt)
    assert served.ok("models", "rescan")["models"] == 3
    assert served.ok("models", "verify", BIG)["ok"]


@pytest.mark.parametrize("with_node", [False, True])
def test_C45_a_receipt_of_a_newer_thorp_is_told_and_not_touched(home: Home, with_node: bool) -> None:
    receipt = home.receipt(f"{PAIR}:q8_0")
    receipt.write_text(receipt.read_text().replace('"schema": 1', '"schema": 99'))
    kept, files = receipt.read_bytes(), tree(home.stored(PAIR))

    def check() -> None:
        for answer in (home.ok("models", "rescan"), home.ok("models")):
            assert len(answer["unreadable"]) == 1
            assert "newer Thorp (schema 99" in answer["unreadable"][0]
        assert PAIR_IDS[1] not in {one["model_id"] for one in home.models()}
        code, error = home.fails("models", "rm", f"{PAIR}:q4_k_m", "--yes")
        assert (code, error["code"]) == (8, "models.unclear")  # nobody knows which of its files the newer one needs
        home.ok("models", "prune", "--older-than", "0s", "--yes")
        assert "newer Thorp" in home.thorp("models").stderr

    if with_node:
        with home.node():
            check()
    else:
        check()
    assert receipt.read_bytes() == kept
    assert tree(home.stored(PAIR)) == files


# Another volume


@pytest.fixture
def volume(tmp_path: Path) -> Generator[tuple[Any, Path]]:
    """A room with a tmpfs that can be mounted at `volume` and taken away again without losing what is on it."""
    disk, place = tmp_path / "disk", tmp_path / "volume"
    disk.mkdir()
    place.mkdir()
    with room() as inside:
        inside.run("mount", "-t", "tmpfs", "none", str(disk))
        yield inside, place


def test_C44_models_on_a_disk_that_is_not_mounted_are_missing_and_never_fetched_again(
    tmp_path: Path, hub: FakeHub, volume: tuple[Any, Path]
) -> None:
    inside, place = volume
    home = tmp_path / "n"
    variables = {"HF_ENDPOINT": hub.url, "THORP_MODELS_DIR": str(place / "models")}

    def thorp(*words: str) -> "subprocess.CompletedProcess[str]":
        return inside.thorp(home, *words, "--json", **variables)

    def state() -> list[tuple[str, str]]:
        return [(one["repo"], one["state"]) for one in json.loads(thorp("models").stdout)["models"]]

    mount = ("mount", "--bind", str(tmp_path / "disk"), str(place))
    inside.run(*mount)
    assert thorp("pull", f"{PAIR}:q8_0").returncode == 0
    assert state() == [(PAIR, "complete")]
    stored = tree(inside.see(place))

    inside.run("umount", str(place))
    hub.forget()
    hub.faults.clear()
    assert state() == [(PAIR, "missing")]
    (row,) = json.loads(thorp("models").stdout)["models"]
    assert "mounted" in row["reason"]
    for words in (
        ("pull", f"{PAIR}:q8_0"),
        ("pull", PAIR_IDS[1]),
        ("pull", f"{PAIR}:q4_k_m"),
        ("models", "verify", PAIR_IDS[1]),
        ("models", "repair", PAIR_IDS[1]),
        ("models", "rm", PAIR_IDS[1], "--yes"),
        ("models", "prune", "--older-than", "0s", "--yes"),
    ):
        assert thorp(*words).returncode == 75, words
    assert not any(one.span for one in hub.log)
    assert json.loads(thorp("models", "rescan").stdout) == {"models": 1, "unreadable": []}
    assert list(place.iterdir()) == []

    inside.run(*mount)
    assert state() == [(PAIR, "complete")]
    assert thorp("models", "verify", "--all").returncode == 0
    assert tree(inside.see(place)) == stored
    assert thorp("pull", f"{PAIR}:q8_0").returncode == 0
    assert not any(one.span for one in hub.log)
