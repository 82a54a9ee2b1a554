import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import REF, Row
from tests.cli.terminal import on_a_terminal
from thorp.wire.capabilities.models import PruneRequest, RemoveAnswer, RemoveRequest, RepairAnswer, VerifyAnswer

ID = "qwen2.5:0.5b:instruct:q8_0"
WHOLE: Row = {"path": "a.gguf", "ok": True, "problem": "", "bad_pieces": []}
BAD: Row = {"path": "a.gguf", "ok": False, "problem": "its bytes are not those of the receipt", "bad_pieces": [1, 7]}
ROW: Row = {"what": ID, "ref": REF, "reason": "asked for", "bytes": 675_710_816}
OTHER: Row = {"what": "partial", "ref": "a/b:q4_0", "reason": "unfinished", "bytes": 1_000}


def removal(*rows: Row, dry: bool) -> Row:
    return {"removed": list(rows), "freed_bytes": sum(row["bytes"] for row in rows), "dry_run": dry}


def verified(*models: tuple[bool, Row]) -> Row:
    told = [{"ref": REF, "model_id": ID, "ok": ok, "files": [file]} for ok, file in models]
    return {"ok": all(ok for ok, _ in models), "models": told}


def streams(node: FakeNode, name: str, answer: Row) -> None:
    frame = {"file": "a.gguf", "done": 1, "total": 2}
    node.streams(f"/api/v1/call/{name}", [("frame", frame), ("done", {"output": answer, "meta": {}})])


def test_a_whole_model_is_said_to_be_whole(thorp: Thorp, node: FakeNode) -> None:
    streams(node, "library.verify", verified((True, WHOLE)))
    shown = thorp("models", "verify", "qwen")

    assert (shown.code, shown.out, shown.err) == (0, f"{ID} is whole.\n", "")
    assert node.called("library.verify") == [{"ref": "qwen"}]


def test_a_damaged_model_ends_with_6_and_the_way_out(thorp: Thorp, node: FakeNode) -> None:
    answer = verified((True, WHOLE), (False, BAD))
    streams(node, "library.verify", answer)
    shown = thorp("models", "verify", "--all")

    assert shown.code == 6
    assert f"{ID}: a.gguf: its bytes are not those of the receipt, 2 of its pieces\n" in shown.out
    assert "1 of 2 models are whole." in shown.out
    assert f"`thorp models repair {REF}`" in shown.err
    assert node.called("library.verify") == [{}]
    told = thorp("models", "verify", "--all", "--json")
    assert (told.code, told.json) == (6, answer)


@pytest.mark.parametrize("words", [(), ("qwen", "--all")])
def test_one_or_all_has_to_be_said(thorp: Thorp, node: FakeNode, words: tuple[str, ...]) -> None:
    shown = thorp("models", "verify", *words)

    assert shown.code == 2
    assert "`--all`" in shown.err
    assert node.asked == []


@pytest.mark.parametrize(
    ("ok", "file", "says"),
    [
        (True, WHOLE, "was whole; nothing was fetched"),
        (True, BAD, "is whole again; 34 MB were fetched"),
        (False, BAD, "is still not whole"),
    ],
)
def test_a_repair_says_what_it_did(thorp: Thorp, node: FakeNode, ok: bool, file: Row, says: str) -> None:
    answer = {"ok": ok, "ref": REF, "model_id": ID, "files": [file], "fetched": 0 if file["ok"] else 33_554_432}
    streams(node, "library.repair", answer)
    shown = thorp("models", "repair", "qwen")

    assert shown.code == (0 if ok else 6)
    assert says in shown.out + shown.err
    RepairAnswer.model_validate_json(json.dumps(answer))


def test_a_model_is_removed_when_that_was_confirmed(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.remove", removal(ROW, dry=False))
    shown = thorp("models", "rm", "qwen", "--yes")

    assert shown.out == f"Removed {ID} ({REF}), 676 MB.\n"
    assert node.called("library.remove") == [{"ref": "qwen"}]


def test_without_a_yes_nothing_is_removed(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.remove", removal(ROW, dry=True))
    shown = thorp("models", "rm", "qwen")

    assert shown.code == 2
    assert f"Remove {ID} ({REF}), 676 MB?" in shown.err
    assert node.called("library.remove") == [{"ref": "qwen", "dry_run": True}]
    RemoveRequest.model_validate(node.called("library.remove")[0])


def test_a_person_sees_what_goes_and_says_yes(home: Path, node: FakeNode) -> None:
    node.offers("library.prune", removal(ROW, OTHER, dry=True), removal(ROW, OTHER, dry=False))
    seen = on_a_terminal(home, "models", "prune", typed="y\n")

    assert "a/b:q4_0" in seen
    assert "Remove 2 things, 676 MB? [y/N]" in seen
    assert seen.endswith("Removed 2 things, 676 MB.\n")


def test_a_dry_run_removes_nothing(thorp: Thorp, node: FakeNode) -> None:
    answer = removal(ROW, OTHER, dry=True)
    node.offers("library.prune", answer)
    shown = thorp("models", "prune", "--older-than", "30d", "--dry-run")

    assert shown.out.endswith("Would remove 2 things, 676 MB.\n")
    assert node.called("library.prune") == [{"older_than": 2_592_000, "dry_run": True}]
    assert thorp("models", "prune", "--dry-run", "--json").json == answer
    PruneRequest.model_validate_json(json.dumps(node.called("library.prune")[0]))


def test_nothing_to_prune_asks_nobody(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.prune", removal(dry=True))
    shown = thorp("models", "prune")

    assert (shown.code, shown.out) == (0, "There is nothing to remove.\n")
    assert len(node.asked) == 1


def test_a_model_in_use_is_refused_in_the_words_of_the_node(thorp: Thorp, node: FakeNode) -> None:
    node.refuses("library.remove", 409, "models.in_use", "A transfer uses it.")
    shown = thorp("models", "rm", "qwen", "--yes")

    assert (shown.code, shown.err) == (8, "A transfer uses it.\n")


def test_an_age_that_is_none_is_refused(thorp: Thorp, node: FakeNode) -> None:
    assert thorp("models", "prune", "--older-than", "old").code == 2
    assert node.asked == []


def test_the_answers_here_are_those_that_nodes_give() -> None:
    RemoveAnswer.model_validate_json(json.dumps(removal(ROW, dry=True)))
    VerifyAnswer.model_validate_json(json.dumps(verified((False, BAD))))
