"""What a person types to share, what is asked for it, and a repository with large files from end to end."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_here import FakeCaller, FakeHere
from tests.cli.fake_node import FakeNode
from tests.cli.terminal import on_a_terminal
from tests.models.repositories import GGUF, NEEDED, a_gguf, repository
from thorp.app.environment import Environment
from thorp.app.paths import Paths, make_folders
from thorp.app.shelf import library_of
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.files import DISK
from thorp.bus.dispatch import Bus, Order
from thorp.cli.main import run
from thorp.identity.principals import owner
from thorp.models.publish import Publisher, own_manifest
from thorp.models.share_desk import NoSeeding, ShareDesk, share_offers
from thorp.store.keyfiles import node_key
from thorp.wire.capabilities.publishing import ShareAnswer, ShareRequest, UnshareAnswer

ID = "qwen2.5:0.5b:instruct:q8_0"
SHARED: dict[str, Any] = {
    "shared": [
        {
            "ref": "org/m:q8_0",
            "model_id": ID,
            "name": "org/m",
            "size_bytes": 675_710_816,
            "license": "mit",
            "files": 1,
            "public": False,
            "signed": True,
            "publisher": "ed25519:x",
            "infohashes": ["a" * 40],
        }
    ],
    "skipped": [{"path": "org/gated", "reason": "it is gated"}],
}
NOTHING: dict[str, Any] = {"shared": [], "skipped": []}


def streams(node: FakeNode, answer: dict[str, Any] = SHARED) -> None:
    frame = {"file": "a.gguf", "done": 1, "total": 2}
    node.streams("/api/v1/call/model.share", [("frame", frame), ("done", {"output": answer, "meta": {}})])


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["org/m:q8_0"], {"ref": "org/m:q8_0"}),
        (["--all", "--no-sign"], {"all": True, "sign": False}),
        (
            ["/etc", "--name", "org/m", "--license", "mit", "--version", "2", "--copy"],
            {"path": "/etc", "name": "org/m", "license": "mit", "version": "2", "copy": True},
        ),
        (
            ["https://h.example/org/m", "--branch", "b", "--depth", "0", "--skip-lfs", "--no-monitor"],
            {"git": "https://h.example/org/m", "branch": "b", "depth": 0, "skip_lfs": True},
        ),
        (["git@h.example:org/m"], {"git": "git@h.example:org/m"}),
        (["ext::sh -c x"], {"git": "ext::sh -c x"}),
        (
            ["m", "--public", "--license", "mit", "--yes", "--piece-length", "4MB", "--skip-dht"],
            {"ref": "m", "public": True, "license": "mit", "piece_length": 4 << 20, "skip_dht": True},
        ),
        (
            ["m", "--description", "d", "--tag", "a", "--tag", "b", "--hint", "temperature=0.7"],
            {"ref": "m", "description": "d", "tags": ["a", "b"], "hints": {"temperature": "0.7"}},
        ),
    ],
)
def test_words_become_a_request(thorp: Thorp, node: FakeNode, words: list[str], given: dict[str, Any]) -> None:
    streams(node)
    shown = thorp("share", *words)

    assert shown.code == 0, shown.err
    assert node.called("model.share") == [given]
    ShareRequest.model_validate_json(json.dumps(given))
    ShareAnswer.model_validate_json(json.dumps(SHARED))


def test_what_came_of_it_is_shown(thorp: Thorp, node: FakeNode) -> None:
    streams(node)
    shown = thorp("share", "m")

    assert "the household" in shown.out
    assert "Left out: org/gated: it is gated" in shown.err
    assert thorp("share", "m", "--json").json == SHARED


def test_sharing_nothing_is_no_success(thorp: Thorp, node: FakeNode) -> None:
    streams(node, NOTHING)
    shown = thorp("share", "m")

    assert (shown.code, "Nothing was shared." in shown.err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["m", "--all"],
        ["m", "--public", "--piece-length", "much"],
        ["m", "--hint", "temperature"],
        ["m", "--hint", "=1"],
        ["m", "--depth", "-1"],
    ],
)
def test_words_that_make_no_sense_are_refused(thorp: Thorp, node: FakeNode, words: list[str]) -> None:
    assert thorp("share", *words).code == 2
    assert node.called("model.share") == []


def test_a_path_that_leads_nowhere_is_blamed_before_what_is_missing_beside_it(thorp: Thorp, node: FakeNode) -> None:
    shown = thorp("share", "/no/such/path")

    assert (shown.code != 0, node.called("model.share")) == (True, [])
    assert "There is nothing at `/no/such/path`" in shown.err


def test_nobody_is_asked_about_what_nobody_gets(thorp: Thorp, node: FakeNode) -> None:
    streams(node, NOTHING)
    node.offers("library.show", {"license": "gemma", "gated": True})

    assert "everybody on the internet" not in thorp("share", "m", "--public").err
    assert node.called("model.share") == [{"ref": "m", "public": True}]


def test_everybody_is_asked_about_with_the_licence(thorp: Thorp, node: FakeNode) -> None:
    streams(node)
    node.offers("library.show", {"license": "gemma"})
    refused = thorp("share", "m", "--public")

    assert refused.code == 2
    assert "everybody on the internet, under its licence (gemma)" in refused.err
    assert node.called("model.share") == []


def test_no_is_no(thorp: Thorp, node: FakeNode) -> None:
    streams(node)
    node.offers("library.show", {"license": None})
    seen = on_a_terminal(thorp.home, "share", "m", "--public", typed="n\n")

    assert "nobody said which" in seen.replace("\n", " ")
    assert node.called("model.share") == []


def test_a_model_is_kept_back(thorp: Thorp, node: FakeNode) -> None:
    answer = {"ref": "org/m:q8_0", "model_id": ID, "was_public": True}
    node.offers("model.unshare", answer)
    shown = thorp("unshare", "org/m")

    assert (shown.code, node.called("model.unshare")) == (0, [{"ref": "org/m"}])
    assert f"{ID} is not shared any more." in shown.out
    assert "stay theirs" in shown.err
    UnshareAnswer.model_validate(answer)


@dataclass
class Working(FakeCaller):
    """The desk itself on a bus, in this very process, as without a node."""

    paths: Paths | None = None

    def _desk(self) -> ShareDesk:
        assert self.paths
        paths, clock, randomness = self.paths, SystemClock(), SystemRandomness()
        library, stores = library_of(paths, paths.root / "hub")
        publisher = Publisher(library, clock, lambda: node_key(DISK, paths.keys, randomness))
        return ShareDesk(library, stores, clock, randomness, publisher, NoSeeding(), lambda _: None)

    def call(self, name: str, /, **given: object) -> dict[str, Any]:
        async def story() -> dict[str, Any]:
            bus = Bus(SystemClock(), lambda _: None)
            for offer in share_offers(self._desk()):
                await bus.register(offer)
            return (await bus.call(Order(name, owner(), given))).model_dump(mode="json")

        return asyncio.run(story())


class Machine(FakeHere):
    @contextmanager
    def caller(self, paths: Paths, environment: Environment) -> Iterator[FakeCaller]:
        make_folders(paths)
        self.paths = paths
        yield Working(paths=paths)


@NEEDED
def test_a_repository_with_large_files_is_published_from_the_command_line(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {GGUF: a_gguf(tmp_path), "README.md": b"---\nlicense: mit\n---\n"}
    folder = repository(tmp_path, files)
    machine, environment = Machine(), Environment.of({"THORP_HOME": str(home)})
    code = run(("share", f"file://{folder}", "--version", "3", "--json"), environment, machine)
    (row,) = json.loads(capsys.readouterr().out)["shared"]
    library, _ = library_of(machine.paths, home / "hub")
    (receipt,) = library.receipts()
    said = own_manifest(library, receipt, node_key(DISK, machine.paths.keys, SystemRandomness()).node_id)

    assert (code, row["name"], row["license"], row["signed"]) == (0, "org/Tiny-1B", "mit", True)
    assert said
    assert (said.version, [one.infohash for one in said.torrents]) == ("3", row["infohashes"])
    assert library.layout.file(receipt.repo, receipt.revision, GGUF).read_bytes() == files[GGUF]
    assert run(("unshare", row["ref"]), environment, machine) == 0
    assert own_manifest(library, library.receipts()[0], row["publisher"]) is None
