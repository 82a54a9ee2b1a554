"""`thorp pull` of everything a ref can mean: afterwards the hub's very bytes lie where every program finds them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.screen import Program, program
from tests.e2e.pulls import (
    FOLDER,
    FOLDER_FILES,
    LESS,
    MANY,
    MANY_FILE,
    MIB,
    ONE,
    ONE_FILE,
    PARTS,
    PARTS_FILES,
    QUANTS,
    SEEING,
    SEEING_FILES,
    Home,
    Row,
    a_model,
    ended,
)
from thorp.app.lock import read_holder
from thorp.testing.hub import Content, FakeHub, Fault, FaultKind
from thorp.testing.process import NodeProcess, environment_of, run_thorp, running_node, until

STREAM: Final = "/api/v1/transfers/stream"
DOWN, ENTER = "\x1b[B", "\r"
MOMENTS: Final = ("downloaded_at", "verified_at")


@dataclass(frozen=True)
class Case:
    """One way to say what is wanted, and what that is."""

    ref: str
    repo: str
    files: tuple[str, ...]
    model_id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)  # as REST takes it
    version: str = "main"

    @property
    def words(self) -> list[str]:
        """The same for the command line."""
        given = [(f"--{name}", "" if value is True else value) for name, value in self.more.items()]
        return [self.ref, *(word for pair in given for word in pair if word)]


Q4: Final = (MANY_FILE.format("Q4_K_M"),)
Q8: Final = (MANY_FILE.format("Q8_0"),)
CASES: Final = {
    "words": Case("mistral", MANY, Q4, "mistral:7b:instruct:q4_k_m", {"yes": True}),
    "repo": Case(ONE, ONE, (ONE_FILE,), "tiny:1b:base:q4_k_m"),
    "repo and quant": Case(f"{MANY}:Q8_0", MANY, Q8, "mistral:7b:instruct:q8_0"),
    "quant beside it": Case(MANY, MANY, Q8, "mistral:7b:instruct:q8_0", {"quant": "q8_0"}),
    "commit": Case(f"{ONE}@COMMIT", ONE, (ONE_FILE,), "tiny:1b:base:q4_k_m", version="COMMIT"),
    "commit beside it": Case(ONE, ONE, (ONE_FILE,), more={"revision": "COMMIT"}, version="COMMIT"),
    "id": Case("mistral:7b:instruct:q4_k_m", MANY, Q4, "mistral:7b:instruct:q4_k_m"),
    "short address": Case(f"hf.co/{MANY}:Q4_K_M", MANY, Q4),
    "address": Case(f"https://huggingface.co/{ONE}", ONE, (ONE_FILE,)),
    "file": Case(f"{MANY}/{Q8[0]}", MANY, Q8),
    "shards": Case(PARTS, PARTS, PARTS_FILES, "parted:3b:base:q4_k_m"),
    "one of the shards": Case(f"{PARTS}/{PARTS_FILES[1]}", PARTS, PARTS_FILES),
    "safetensors": Case(FOLDER, FOLDER, FOLDER_FILES),
    "projector": Case(SEEING, SEEING, SEEING_FILES, "seeing:4b:base:q4_k_m"),
}


@contextmanager
def carried_by(way: str, home: Home) -> Iterator[NodeProcess | None]:
    """With a node or without one."""
    with ExitStack() as stack:
        yield stack.enter_context(running_node(home.at, **home.given)) if way == "node" else None


def in_commit(case: Case, commit: str) -> Case:
    more = {name: commit if value == "COMMIT" else value for name, value in case.more.items()}
    version = commit if case.version == "COMMIT" else case.version
    return Case(case.ref.replace("COMMIT", commit), case.repo, case.files, case.model_id, more, version)


def over_rest(node: NodeProcess, home: Home, case: Case) -> Row:
    """POST, then the stream until its end; the receipt."""
    with_stream = node.watch("GET", STREAM)
    assert with_stream.take().event == "snapshot"
    answer = node.owner().request("POST", "/api/v1/models/download", {"ref": case.ref, **case.more})
    assert (answer.status, len(answer.data["transfer_id"])) == (202, 26), answer
    told: Row = {}
    while told.get("state") not in ("done", "failed"):
        change = with_stream.change("transfer.changed")
        told = change if change["id"] == answer.data["transfer_id"] else told
    assert told["state"] == "done", told
    assert told["done"] == told["total"] == answer.data["size_bytes"]
    return home.receipt_of(answer.data)


def checked(home: Home, receipt: Row, case: Case, files: Mapping[str, Content]) -> None:
    home.proven(receipt, {path: files[path] for path in case.files})
    home.settled()
    assert receipt["repo"] == case.repo
    assert receipt["version"] == case.version
    assert receipt["model_id"].startswith(case.model_id)
    assert receipt["source"] == {"kind": "hub", "detail": home.hub.url.removeprefix("http://")}
    assert receipt["license"] == "apache-2.0"
    assert receipt["format"] == ("safetensors" if case.repo == FOLDER else "gguf")
    assert receipt["projector"] == (SEEING_FILES[1] if case.repo == SEEING else None)
    assert all((home.at / "data/torrents" / f"{one['infohash']}.torrent").is_file() for one in receipt["files"])


@pytest.mark.parametrize("way", ["here", "node", "rest"])
@pytest.mark.parametrize("name", CASES)
def test_B31_whatever_a_ref_means_comes_whole_and_with_a_receipt(
    here: Home, hub: FakeHub, stocked: dict[str, dict[str, Content]], name: str, way: str
) -> None:
    commit = hub.add(ONE, {})
    hub.add(ONE, {ONE_FILE: b"something newer" * 1000})  # what was asked for by its commit is not this one
    files = stocked[CASES[name].repo]
    if "COMMIT" not in (CASES[name].version, *CASES[name].more.values()):
        hub.add(ONE, stocked[ONE])
    case = in_commit(CASES[name], commit)
    with carried_by("here" if way == "here" else "node", here) as node:
        receipt = over_rest(node, here, case) if node and way == "rest" else here.pull(*case.words)
    checked(here, receipt, case, files)
    assert hub.leaks == 0


def test_all_ways_make_the_same_receipt(tmp_path: Path, hub: FakeHub) -> None:
    case = CASES["repo"]
    alone, asking, remote = (Home(tmp_path / name, hub) for name in ("a", "b", "c"))
    found = [alone.pull(case.ref)]
    with running_node(asking.at, **asking.given):
        found.append(asking.pull(case.ref))
    with running_node(remote.at, **remote.given) as node:
        found.append(over_rest(node, remote, case))
    assert all(one.pop(moment) for one in found for moment in MOMENTS)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("way", ["here", "node"])
def test_several_quants_without_a_terminal_are_listed_and_none_is_taken(here: Home, hub: FakeHub, way: str) -> None:
    with carried_by(way, here):
        said = here.refused(MANY, code=8, says="to choose from")
        assert all(f"{MANY}:{quant.lower()}" in said for quant in QUANTS)
        said = here.refused("mistral", code=8, says="2 repositories")
        assert said.index(MANY) < said.index(LESS)
        told = here.thorp("pull", MANY, "--json")
        assert told.returncode == 8
        listed = json.loads(told.stderr)["error"]["details"]["choices"]
        assert [one["quant"] for one in listed] == sorted(quant.lower() for quant in QUANTS)
    here.nothing_installed()
    assert not any(one.file for one in hub.log)


@pytest.mark.parametrize("way", ["here", "node"])
def test_a_dry_run_fetches_nothing(here: Home, hub: FakeHub, way: str) -> None:
    with carried_by(way, here):
        told = here.thorp("pull", f"{MANY}:q4_k_m", "--dry-run")
        assert told.returncode == 0
        assert "mistral:7b:instruct:q4_k_m" in told.stdout
        assert json.loads(here.thorp("pull", "mistral", "--dry-run", "--json").stdout)["repos"][0]["repo"] == MANY
    here.nothing_installed()
    assert here.records() == []
    assert not any(one.file for one in hub.log)


@pytest.mark.parametrize("way", ["here", "node"])
@pytest.mark.parametrize("ref", [ONE, f"{ONE}:q4_k_m", "tiny:1b:base:q4_k_m", f"{ONE}/{ONE_FILE}", f"hf.co/{ONE}"])
def test_what_is_complete_is_told_without_asking_anybody(here: Home, hub: FakeHub, ref: str, way: str) -> None:
    here.pull(ONE)
    hub.forget()
    with carried_by(way, here):
        assert here.thorp("pull", ref).stdout.startswith("Here already: tiny:1b:base:q4_k_m")
        assert hub.log == ()
        hub.stop()
        again = here.thorp("pull", ref, "--json")
        assert (again.returncode, json.loads(again.stdout)["transfer_id"]) == (0, None)
    assert len(here.records()) == 1


@pytest.mark.parametrize("way", ["here", "node"])
def test_how_it_goes_on_is_told_to_programs_line_by_line_and_else_to_nobody(here: Home, hub: FakeHub, way: str) -> None:
    with carried_by(way, here):
        with here.pulling(ONE) as process:
            code, rows, said = ended(process)
        assert (code, said) == (0, "")
        *transfers, last = rows
        assert {one["id"] for one in transfers} == {last["transfer_id"]}
        assert [one["done"] for one in transfers] == sorted(one["done"] for one in transfers)
        assert transfers[-1]["state"] == last["state"] == "done"
        quiet = here.thorp("pull", PARTS, "--quiet")
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
        plain = here.thorp("pull", SEEING)
        assert plain.stdout.startswith("Pulled seeing:4b:base:q4_k_m")
        assert plain.stderr.count("\n") == 1  # on what terms; no bar, and no line that is drawn again
        assert "licence apache-2.0" in plain.stderr
        assert "\x1b" not in plain.stdout + plain.stderr


def test_B32_success_is_never_told_over_wrong_bytes(here: Home, hub: FakeHub) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=ONE_FILE, at=7, times=None))
    told = here.thorp("pull", ONE, "--json")
    assert told.returncode == 6
    assert not any(json.loads(line)["state"] == "done" for line in told.stdout.splitlines())
    here.nothing_installed()


# On a terminal.


@contextmanager
def typing(home: Home, *words: str, **more: str) -> Iterator[Program]:
    """A person who types `thorp …`; a node that this started is stopped again."""
    code = f"import runpy, sys; sys.argv = {['thorp', *words]!r}; runpy.run_module('thorp', run_name='__main__')"
    try:
        with program(code, 100, **environment_of(home.at, **home.given), THORP_LOCAL_PORT="0", **more) as screen:
            yield screen
    finally:
        home.thorp("down")
        until(lambda: read_holder(home.at / "run" / "lock") is None, "no node runs any more")


def runs(home: Home) -> bool:
    return read_holder(home.at / "run" / "lock") is not None


def test_a_person_picks_a_repository_and_a_quant_with_the_arrow_keys(
    here: Home, hub: FakeHub, stocked: dict[str, dict[str, Content]]
) -> None:
    with typing(here, "pull", "mistral", "--no-start") as screen:
        screen.until("Esc leaves")
        assert "Which repository for `mistral`?" in screen.seen
        screen.press(ENTER)
        screen.until("Esc leaves")
        assert f"Which one of {MANY}?" in screen.seen
        screen.press(DOWN + ENTER)
        screen.until("says where it lies")
        assert screen.end() == 0
    assert screen.seen.count("fits") >= len(QUANTS)
    assert "recommended" in screen.seen
    assert "licence apache-2.0" in screen.seen
    [receipt] = here.receipts()
    here.proven(receipt, {path: stocked[MANY][path] for path in Q8})
    assert not runs(here)


def test_badges_say_what_is_too_big_for_this_machine(here: Home, hub: FakeHub, tmp_path: Path) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    small = Content(b"x", 1, 20_000, "a" * 64, "b" * 40, 130)
    sizes = {"Q4_K_M": 20_000, "Q8_0": 2 * memory}
    hub.add("org/Big-7B-GGUF", {f"Big-7B-{name}.gguf": small.claiming(size=size) for name, size in sizes.items()})
    with typing(here, "pull", "org/Big-7B-GGUF") as screen:
        screen.until("Esc leaves")
        assert screen.seen.index("fits") < screen.seen.index("too big")
        screen.press("q")
        assert screen.end() == 130
    here.nothing_installed()
    assert not any(one.file for one in hub.log)


def test_a_bar_is_drawn_and_then_the_node_runs_so_that_it_can_share(here: Home, hub: FakeHub, tmp_path: Path) -> None:
    hub.add(ONE, {ONE_FILE: a_model(tmp_path / "large", size=6 * MIB)})
    with typing(here, "pull", ONE, "--limit", "8M") as screen:
        screen.until("━")
        screen.until("The node runs in the background")
        assert screen.end() == 0
        assert runs(here)
        listed = json.loads(here.thorp("models", "--json").stdout)["models"]
        assert [(one["model_id"], one["state"]) for one in listed] == [("tiny:1b:base:q4_k_m", "complete")]
        assert "Pulled tiny:1b:base:q4_k_m" in screen.seen
        assert "100 %" in screen.seen


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("--no-start",), {}), ((), {"THORP_NODE_AUTO_START": "false"}), (("--json",), {}), (("--dry-run",), {})],
    ids=["no-start", "setting", "json", "dry-run"],
)
def test_the_node_is_not_started_where_that_is_not_wanted(
    here: Home, hub: FakeHub, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    with typing(here, "pull", ONE, *words, **variables) as screen:
        screen.until("tiny:1b:base:q4_k_m")
        assert screen.end() == 0
        assert not runs(here)


def test_without_a_terminal_no_node_is_started(here: Home, hub: FakeHub) -> None:
    here.pull(ONE)
    assert not runs(here)


# With other programs.

FETCH: Final = "import sys; from huggingface_hub import hf_hub_download; print(hf_hub_download(*sys.argv[1:]))"
SNAPSHOT: Final = "import sys; from huggingface_hub import snapshot_download; print(snapshot_download(sys.argv[1]))"


def their_own(home: Home, code: str, *words: str, **variables: str) -> Path:
    """The real `huggingface_hub` in a process of its own; answers with the path it says."""
    given = environment_of(home.at, **home.given | {"HF_HUB_DISABLE_XET": "1"} | variables)
    told = subprocess.run(
        [sys.executable, "-c", code, *words], env=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    return Path(told.stdout.strip())


@pytest.mark.parametrize("repo", [ONE, PARTS, FOLDER])
def test_huggingface_hub_finds_what_was_pulled_without_a_network(
    here: Home, hub: FakeHub, stocked: dict[str, dict[str, Content]], repo: str
) -> None:
    receipt = here.pull(repo)
    hub.stop()
    for path in stocked[repo]:
        at = their_own(here, FETCH, repo, path, HF_HUB_CACHE=str(here.models), HF_HUB_OFFLINE="1")
        assert at == here.file(receipt, path)


@pytest.mark.parametrize("way", ["here", "node"])
@pytest.mark.parametrize("repo", [ONE, PARTS, FOLDER])
def test_what_huggingface_hub_fetched_is_adopted_without_one_byte(
    home: Path, hub: FakeHub, stocked: dict[str, dict[str, Content]], repo: str, way: str
) -> None:
    cache = home.with_name("cache")
    here = Home(home, hub, {"HF_HUB_CACHE": str(cache)}, cache)
    assert their_own(here, SNAPSHOT, repo, HF_HUB_CACHE=str(cache)).is_dir()
    hub.forget()
    with carried_by(way, here):
        receipt = here.pull(repo)
    here.proven(receipt, stocked[repo])
    assert not any(one.file for one in hub.log)
    hub.forget()
    their_own(here, SNAPSHOT, repo, HF_HUB_CACHE=str(cache))
    assert sum(hub.bytes_sent(path) for path in stocked[repo]) == 0


def test_the_library_is_told_alike_with_a_node_and_without(here: Home, hub: FakeHub) -> None:
    here.pull(ONE)
    alone = json.loads(run_thorp(here.at, "models", "--json").stdout)
    with running_node(here.at, **here.given) as node:
        assert json.loads(node.thorp("models", "--json").stdout) == alone
        shown = node.owner().request("GET", f"/api/v1/models/{ONE}").data
    assert shown["files"][0]["at"].startswith(str(here.models))
