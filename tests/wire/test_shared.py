"""A list of models as it crosses the mesh: bounded, and one digest stands for it."""

import tracemalloc
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from thorp.wire.canonical import NotCanonicalError
from thorp.wire.shared import (
    LARGEST_LIST,
    MOST_MODELS,
    BadListError,
    SharedFile,
    SharedList,
    SharedModel,
    list_digest,
    read_shared_list,
)

A = "a" * 64
FILE = SharedFile(path="m.gguf", size=10, sha256=A, blob=A)
MODEL = SharedModel(
    model_id="tiny:1b:base:q4_k_m",
    repo="org/repo",
    revision="1" * 40,
    version="main",
    artifact="m",
    format="gguf",
    quant="q4_k_m",
    size_bytes=10,
    license="mit",
    parameters=None,
    projector=None,
    added="2026-01-01T00:00:00Z",
    files=(FILE,),
    publication=None,
)


def test_a_list_comes_back_as_it_went() -> None:
    sent = SharedList(node="ed25519:x", models=(MODEL,))

    assert read_shared_list(sent.model_dump_json().encode()) == sent


def test_the_digest_is_frozen_and_follows_every_field() -> None:
    assert list_digest(()) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    assert list_digest((MODEL,)) == DIGEST
    for change in ({"size_bytes": 11}, {"license": None}, {"publication": {}}):
        assert list_digest((MODEL.model_copy(update=change),)) != DIGEST
    with pytest.raises(NotCanonicalError):
        list_digest((MODEL.model_copy(update={"publication": {"size": 1.5}}),))


DIGEST = "4f784f4dee3562a0c5e010644879b9c07fad2547773a5dc37e30f3d78d106b79"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"node": "n"}',
        b'{"node": "n", "models": [{}]}',
        b'{"node": "n", "models": [], "more": 1}',
        b"[" * 100_000,
        b'{"node": "n", "models": ' + b"[" * 100_000,
        b" " * (LARGEST_LIST + 1),
        b"\xff",
    ],
)
def test_E62_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(BadListError):
        read_shared_list(content)


def test_E62_a_list_of_ever_so_many_nothings_is_refused_before_it_is_built() -> None:
    nothings = b",".join([b"{}"] * (LARGEST_LIST // 3 - 400))
    model = MODEL.model_dump_json().replace('"publication":null', '"publication":{"a":[@]}').encode()
    content = b'{"node":"n","models":[' + model.replace(b"@", nothings) + b"]}"
    assert len(content) <= LARGEST_LIST
    tracemalloc.start()
    try:
        with pytest.raises(BadListError, match="members"):
            read_shared_list(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * LARGEST_LIST


def test_a_large_honest_library_fits() -> None:
    model = MODEL.model_copy(update={"files": (FILE.model_copy(update={"infohash": "b" * 40}),) * 12})
    sent = SharedList(node="n", models=(model,) * 1500)

    assert read_shared_list(sent.model_dump_json().encode()) == sent


@pytest.mark.parametrize(
    "changed",
    [
        {"revision": "1" * 39},
        {"revision": "G" * 40},
        {"size_bytes": -1},
        {"size_bytes": 2**53},
        {"size_bytes": "10"},
        {"files": []},
        {"license": "x" * 256},
        {"model_id": ""},
        {"sha256": A},
        {"files": [FILE.model_dump() | {"sha256": A.upper()}]},
        {"files": [FILE.model_dump() | {"blob": "a" * 41}]},
        {"files": [FILE.model_dump() | {"infohash": A}]},
        {"files": [FILE.model_dump() | {"path": "x" * 513}]},
    ],
)
def test_what_is_no_model_is_refused(changed: dict[str, Any]) -> None:
    given = MODEL.model_dump(mode="json") | changed
    with pytest.raises(ValidationError):
        SharedModel.model_validate_json(orjson.dumps(given))


def test_more_models_than_anybody_has_are_refused() -> None:
    with pytest.raises(ValidationError):
        SharedList(node="n", models=(MODEL,) * (MOST_MODELS + 1))
