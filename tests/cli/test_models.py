import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import LIBRARY, MODEL, SHOWN
from tests.cli.terminal import on_a_terminal
from thorp.wire.capabilities.models import AliasRequest, LibraryAnswer, ModelAnswer, ModelRef


@pytest.mark.parametrize("words", [("models",), ("models", "list")])
def test_the_noun_alone_lists(thorp: Thorp, node: FakeNode, words: tuple[str, ...]) -> None:
    node.offers("library.list", LIBRARY)
    shown = thorp(*words)

    assert shown.code == 0
    for said in ("qwen2.5:0.5b:instruct:q8_0 (fast)", "676 MB", "apache-2.0", "hub", "2026-11-20", "complete"):
        assert said in shown.out
    assert "1 model, 676 MB, in /data/models" in shown.err
    assert thorp(*words, "--json").json == LIBRARY
    assert thorp("--json", *words).json == LIBRARY


def test_without_a_node_the_list_comes_from_the_disk(thorp: Thorp) -> None:
    thorp.here.shelf = LIBRARY

    assert thorp("models", "--json").json == LIBRARY
    assert thorp.here.work.asked == []


def test_an_empty_library_says_how_to_fill_it(thorp: Thorp) -> None:
    assert "`thorp pull mistral` finds one" in thorp("models").err


def test_two_of_one_id_are_told_apart_and_trouble_is_told(thorp: Thorp) -> None:
    lost = MODEL | {"repo": "other/repo", "aliases": [], "state": "missing", "reason": "the disk is not mounted"}
    thorp.here.shelf = {"folder": "/m", "models": [MODEL, lost], "unreadable": ["`x` is no receipt"]}
    shown = thorp("models")

    assert "qwen2.5:0.5b:instruct:q8_0 of other/repo" in shown.out
    assert "missing: the disk is not mounted" in shown.err
    assert "`x` is no receipt" in shown.err


def test_a_narrow_terminal_shows_each_by_itself(home: Path, node: FakeNode) -> None:
    node.offers("library.list", LIBRARY)
    seen = on_a_terminal(home, "models", columns=60, TZ="UTC0")

    assert seen.startswith("id: qwen2.5:0.5b:instruct:q8_0 (fast)\nsize: 676 MB\nlicence: apache-2.0\n")


def test_one_model_is_shown_with_its_files(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.show", SHOWN)
    shown = thorp("models", "show", "fast")

    for said in ("/data/models/a.gguf", "32768 tokens", "494M", "hub huggingface.co", "fits", "9" * 40):
        assert said in shown.out
    assert node.called("library.show") == [{"ref": "fast"}]
    assert thorp("models", "show", "fast", "--json").json == SHOWN


def test_a_missing_file_is_named(thorp: Thorp) -> None:
    lost = SHOWN | {"files": [SHOWN["files"][0] | {"at": None}], "state": "missing", "reason": "gone"}
    thorp.here.work.answers["library.show"] = [lost]
    out = thorp("models", "show", "fast").out

    assert "a.gguf (missing)" in out
    assert "missing: gone" in out


def test_an_ambiguous_ref_lists_what_it_could_be(thorp: Thorp, node: FakeNode) -> None:
    choices = [{"ref": "a/b:q4_0", "size_bytes": 1_000, "fit": "fits"}, {"ref": "c/d:q4_0"}]
    node.refuses("library.show", 409, "models.ambiguous", "`x` is several models.", choices=choices)
    shown = thorp("models", "show", "x")

    assert shown.code == 8
    assert shown.err == "`x` is several models.\n  a/b:q4_0  1.0 KB  fits\n  c/d:q4_0\n"
    assert thorp("models", "show", "x", "--json").error["details"]["choices"] == choices


def test_names_are_given_and_taken_back(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.alias", {"name": "fast", "model_id": MODEL["model_id"], "ref": "r"})
    node.offers("library.unalias", {"name": "fast", "model_id": None, "ref": None})

    assert thorp("models", "alias", "fast", "qwen2.5").out == f"`fast` is {MODEL['model_id']} now.\n"
    assert "`fast` is no name of a model any more." in thorp("models", "unalias", "fast").out
    assert node.called("library.alias") == [{"name": "fast", "ref": "qwen2.5"}]
    AliasRequest.model_validate(node.called("library.alias")[0])


def test_the_index_is_made_anew(thorp: Thorp, node: FakeNode) -> None:
    node.offers("library.rescan", {"models": 1, "unreadable": ["`x` is no receipt"]})
    shown = thorp("models", "rescan")

    assert shown.out == "The library has 1 model.\n"
    assert "`x` is no receipt" in shown.err


def test_the_answers_here_are_those_that_nodes_give() -> None:
    LibraryAnswer.model_validate_json(json.dumps(LIBRARY))
    ModelAnswer.model_validate_json(json.dumps(SHOWN))
    ModelRef.model_validate({"ref": "fast"})
