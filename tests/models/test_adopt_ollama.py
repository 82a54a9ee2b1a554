"""The models of an Ollama store are known by their manifests, and by nothing that leads out of the store."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.adopting import take
from thorp.models.adopt_ollama import LICENSE, MODEL, PROJECTOR, is_ollama, license_id, of_ollama
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.types import SourceKind
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.library import a_library

APACHE = b"\n                                 Apache License\n                           Version 2.0, January 2004\n"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path / "home")


def layer(store: Path, kind: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "blobs" / f"sha256-{digest}").write_bytes(data)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def a_manifest(store: Path, name: str, *layers: dict[str, Any]) -> Path:
    at = store / "manifests" / name
    at.parent.mkdir(parents=True, exist_ok=True)
    (store / "blobs").mkdir(exist_ok=True)
    at.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return at


def weights(tmp_path: Path, seed: int = 0) -> bytes:
    return tiny_gguf(tmp_path / "made.gguf", seed=seed)[0].read_bytes()


def test_a_model_comes_with_its_name_its_licence_and_its_eyes(tmp_path: Path, library: Library) -> None:
    store = tmp_path / "ollama/models"
    eyes = projector_gguf(tmp_path / "eyes.gguf").read_bytes()
    layers = (layer(store, MODEL, weights(tmp_path)), layer(store, PROJECTOR, eyes), layer(store, LICENSE, APACHE))
    a_manifest(store, "registry.ollama.ai/library/llama3.2/3b-instruct-q4_K_M", *layers)
    found = take(library, tmp_path / "ollama")
    receipt = found.imported[0].receipt

    assert found.imported[0].how == "linked"
    assert receipt.repo == "ollama/llama3.2"
    assert [one.path for one in receipt.files] == [
        "llama3.2-3b-instruct-q4_K_M.gguf", "mmproj-llama3.2-3b-instruct-q4_K_M.gguf",
    ]  # fmt: skip
    assert receipt.projector == receipt.files[1].path
    assert receipt.model_id == "llama3.2:3b:instruct:q4_k_m"
    assert receipt.license == "apache-2.0"
    assert (receipt.source.kind, receipt.source.detail) == (SourceKind.IMPORT, "found in an Ollama store")


def test_a_tag_that_says_nothing_leaves_size_and_quant_to_the_header(tmp_path: Path, library: Library) -> None:
    store = tmp_path / "store"
    a_manifest(store, "registry.ollama.ai/library/tinyllama/latest", layer(store, MODEL, weights(tmp_path)))
    receipt = take(library, store).imported[0].receipt

    assert receipt.files[0].path == "tinyllama-latest.gguf"
    assert receipt.model_id.startswith("tinyllama:")
    assert receipt.model_id.endswith("m:base:f16")


@pytest.mark.parametrize(
    ("name", "repo"),
    [
        ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF/Q4_K_M", "bartowski/Llama-3.2-3B-Instruct-GGUF"),
        ("registry.ollama.ai/ann/own/1b", "ann/own"),
        ("registry.ollama.ai/a--b/c..d/1b", "local/a-b-c.d"),
    ],
)
def test_the_name_says_whose_model_it_is(tmp_path: Path, name: str, repo: str) -> None:
    a_manifest(tmp_path, name, layer(tmp_path, MODEL, b"GGUF"))
    assert of_ollama(tmp_path).artifacts[0].repo == repo


def test_two_tags_of_one_model_share_their_bytes(tmp_path: Path, library: Library) -> None:
    store = tmp_path / "store"
    one = layer(store, MODEL, weights(tmp_path))
    for tag in ("1b", "latest"):
        a_manifest(store, f"registry.ollama.ai/library/tiny/{tag}", one)
    found = take(library, store)

    assert [each.how for each in found.imported] == ["linked", "present"]
    assert len(library.receipts()) == 2
    assert len(list(library.layout.blobs("ollama/tiny").iterdir())) == 1


def test_B32_a_blob_whose_bytes_are_not_its_name_is_never_adopted(tmp_path: Path, library: Library) -> None:
    store = tmp_path / "store"
    data = weights(tmp_path)
    one = layer(store, MODEL, data)
    a_manifest(store, "registry.ollama.ai/library/tiny/1b", one)
    blob = store / "blobs" / one["digest"].replace(":", "-")
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = take(library, store)

    assert found.imported == ()
    assert "its bytes are not what their name says" in found.skipped[0].reason
    assert library.receipts() == ()
    assert not library.layout.blob("ollama/tiny", digest_of(one["digest"][7:])).exists()


def test_C43_a_blob_that_is_a_link_is_not_followed(tmp_path: Path, library: Library) -> None:
    store = tmp_path / "store"
    one = layer(store, MODEL, weights(tmp_path))
    blob = store / "blobs" / one["digest"].replace(":", "-")
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    a_manifest(store, "registry.ollama.ai/library/tiny/1b", one)

    assert take(library, store).imported == ()


@pytest.mark.parametrize(
    "layers",
    [
        None,
        {},
        [{}],
        [[]],
        [{"mediaType": MODEL, "digest": "sha256:../../../../etc/passwd", "size": 1}],
        [{"mediaType": MODEL, "digest": "sha256:" + "A" * 64, "size": 1}],
        [{"mediaType": MODEL, "digest": "sha256:" + "a" * 40, "size": 1}],
        [{"mediaType": MODEL, "digest": "md5:" + "a" * 64, "size": 1}],
        [{"mediaType": MODEL, "digest": "sha256:" + "a" * 64, "size": 1}],
        [{"mediaType": MODEL, "digest": "sha256:" + "a" * 64, "size": 1}] * 2,
        [{"mediaType": LICENSE, "digest": "sha256:" + "a" * 64, "size": 1}] * 2000,
        [],
    ],
)
def test_a_manifest_that_makes_no_sense_is_skipped(tmp_path: Path, layers: Any) -> None:
    at = a_manifest(tmp_path, "registry.ollama.ai/library/tiny/1b")
    at.write_text(json.dumps({"layers": layers}))
    found = of_ollama(tmp_path)

    assert found.artifacts == ()
    assert [one.path for one in found.skipped] == ["registry.ollama.ai/library/tiny/1b"]


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"[]", b"\xff", b" " * (5 * 1024 * 1024)])
def test_what_is_no_manifest_is_skipped(tmp_path: Path, text: bytes) -> None:
    a_manifest(tmp_path, "registry.ollama.ai/library/tiny/1b").write_bytes(text)
    assert len(of_ollama(tmp_path).skipped) == 1


def test_a_blob_of_another_size_is_skipped(tmp_path: Path) -> None:
    one = layer(tmp_path, MODEL, b"GGUF")
    a_manifest(tmp_path, "registry.ollama.ai/library/tiny/1b", one | {"size": 5})
    assert "4 bytes long and not 5" in of_ollama(tmp_path).skipped[0].reason


def test_a_store_is_known_by_its_two_folders(tmp_path: Path) -> None:
    assert not is_ollama(tmp_path)
    a_manifest(tmp_path, "registry.ollama.ai/library/tiny/1b")
    assert is_ollama(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APACHE.decode(), "apache-2.0"),
        ("MIT License\n\nCopyright", "mit"),
        ("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT", "llama3.2"),
        ("Gemma Terms of Use", "gemma"),
        ("cc-by-4.0\n", "cc-by-4.0"),
        ("You may do what I say.", None),
        ("", None),
    ],
)
def test_a_licence_is_known_by_how_it_begins(text: str, name: str | None) -> None:
    assert license_id(text) == name
