"""Models as plain data: what every face shows."""

import json
from pathlib import Path

import pytest

from thorp.models.aliases import give
from thorp.models.library import Library
from thorp.models.rows import complete_data, library_data, row_data
from thorp.testing.library import a_library, an_artifact


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def test_a_row_says_what_a_model_is(library: Library) -> None:
    receipt = give(library, "fast", an_artifact(library, license="mit"))

    row = row_data(library.state(receipt))

    assert json.loads(json.dumps(row)) == row
    assert row == {
        "model_id": "model:7b:base:q4_k_m",
        "aliases": ["fast"],
        "repo": "org/repo",
        "revision": receipt.revision,
        "artifact": "Model-7B-Q4_K_M",
        "format": "gguf",
        "quant": "q4_k_m",
        "size_bytes": 7000,
        "license": "mit",
        "gated": False,
        "source": "hub",
        "downloaded_at": receipt.downloaded_at,
        "state": "complete",
        "reason": "",
    }


def test_C44_what_is_not_there_is_missing_and_says_why(library: Library) -> None:
    receipt = an_artifact(library)
    hub = library.layout.hub
    hub.rename(hub.with_name("unmounted"))
    hub.mkdir()

    row = library_data(library)["models"][0]

    assert (row["state"], row["repo"]) == ("missing", receipt.repo)
    assert "is its disk mounted?" in row["reason"]


def test_the_library_names_its_folder_and_what_it_cannot_read(library: Library) -> None:
    receipt = an_artifact(library)
    bad = library.layout.receipt("org/bad", receipt.revision, "x")
    bad.parent.mkdir(parents=True)
    bad.write_text("{")

    data = library_data(library)

    assert json.loads(json.dumps(data)) == data
    assert data["folder"] == str(library.layout.hub)
    assert [one["repo"] for one in data["models"]] == ["org/repo"]
    assert len(data["unreadable"]) == 1
    assert str(bad) in data["unreadable"][0]


def test_a_pull_with_nothing_to_bring_answers_as_one_that_is_done(library: Library) -> None:
    receipt = an_artifact(library, gated=True)

    assert complete_data("fast", receipt) == {
        "transfer_id": None,
        "ref": "fast",
        "model_id": receipt.model_id,
        "repo": receipt.repo,
        "revision": receipt.revision,
        "size_bytes": receipt.size_bytes,
        "license": None,
        "gated": True,
        "state": "done",
    }
