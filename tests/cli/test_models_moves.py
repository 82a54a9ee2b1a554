import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import REF, Row
from thorp.wire.capabilities.models import ImportAnswer, ImportRequest

IMPORTED: Row = {
    "imported": [{"ref": REF, "model_id": "qwen2.5:0.5b:instruct:q8_0", "size_bytes": 675_710_816, "how": "linked"}],
    "skipped": [{"path": "/models/readme.md", "reason": "it is no model"}],
}


def streams(node: FakeNode, answer: Row) -> None:
    node.streams("/api/v1/call/library.import", [("done", {"output": answer, "meta": {}})])


def test_what_lies_here_is_taken_in(thorp: Thorp, node: FakeNode, tmp_path: Path) -> None:
    streams(node, IMPORTED)
    shown = thorp("models", "import", str(tmp_path), "--name", "org/repo", "--license", "mit", "--copy")

    assert shown.code == 0
    assert "linked" in shown.out
    assert "Left out: /models/readme.md: it is no model" in shown.err
    (asked,) = node.called("library.import")
    assert asked == {"path": str(tmp_path), "name": "org/repo", "license": "mit", "copy": True}
    ImportRequest.model_validate(asked)
    ImportAnswer.model_validate_json(json.dumps(IMPORTED))


def test_what_a_cache_had_is_told_to_be_kept_back(thorp: Thorp, node: FakeNode) -> None:
    (row,) = IMPORTED["imported"]
    answer = IMPORTED | {"imported": [row | {"kept_back": True}]}
    streams(node, answer)
    shown = thorp("models", "import", "/cache")

    assert "Kept back from your household: qwen2.5:0.5b:instruct:q8_0. A cache does not tell what is gated" in shown.err
    ImportAnswer.model_validate_json(json.dumps(answer))


def test_a_path_is_made_absolute_where_the_person_stands(
    thorp: Thorp, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    streams(node, IMPORTED)
    thorp("models", "import", "a.gguf", "--json")

    assert node.called("library.import") == [{"path": str(tmp_path / "a.gguf")}]


def test_nothing_taken_in_is_no_success(thorp: Thorp, node: FakeNode) -> None:
    streams(node, IMPORTED | {"imported": []})
    shown = thorp("models", "import", "/models")

    assert shown.code == 1
    assert "Nothing was taken in." in shown.err


def test_a_model_is_written_into_one_file(thorp: Thorp, tmp_path: Path) -> None:
    target = tmp_path / "qwen.tar"
    shown = thorp("models", "export", "qwen", str(target))

    assert shown.out == f"Wrote a:1b:base:q4_0, 2.0 KB, to {target}\n"
    assert thorp.here.exported == [("qwen", target)]
    assert thorp("models", "export", "qwen", str(target), "--json").json["file"] == str(target)


def test_a_file_that_is_there_stays(thorp: Thorp, tmp_path: Path) -> None:
    target = tmp_path / "qwen.tar"
    target.write_text("mine")
    shown = thorp("models", "export", "qwen", str(target))

    assert shown.code == 8
    assert "is there already" in shown.err
    assert thorp.here.exported == []
