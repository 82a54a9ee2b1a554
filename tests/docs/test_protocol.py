"""The vectors and numbers the protocol pages promise, held against the code."""

import hashlib
import json
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks
from thorp.identity.ids import public_key_of
from thorp.identity.keys import NodeKey, signed_bytes, verify
from thorp.models import derive_model_id
from thorp.models.adopt import revision_of
from thorp.models.bundle import SCHEMA as BUNDLE_SCHEMA
from thorp.models.bundle import manifest_text
from thorp.models.hashing import Pieces
from thorp.models.receipts import parse_receipt, receipt_data
from thorp.net.hygiene import HttpLimits
from thorp.swarm.merkle import Leaves
from thorp.swarm.recipes import household_torrent, public_torrent
from thorp.wire.canonical import NotCanonicalError, canonical_bytes
from thorp.wire.faults import Fault
from thorp.wire.publication import Publication, SignedPublication, sign_publication, verify_publication
from thorp.wire.shared import SharedFile, SharedModel

FOLDER = ROOT / "docs/protocol"
[VECTORS] = [
    json.loads(block.text)
    for block in blocks((FOLDER / "identity.md").read_text(encoding="utf-8"))
    if block.info == "json vectors"
]
MODELS = {
    block.info: json.loads(block.text)
    for block in blocks((FOLDER / "models.md").read_text(encoding="utf-8"))
    if block.language == "json"
}
KEY = NodeKey(bytes.fromhex(VECTORS["seed"]))


def test_the_node_id_is_as_written() -> None:
    assert KEY.node_id == VECTORS["node_id"]
    assert public_key_of(KEY.node_id).hex() == VECTORS["public_key"]


@pytest.mark.parametrize("vector", VECTORS["signatures"])
def test_signatures_are_as_written(vector: dict[str, str]) -> None:
    kind, data, signature = vector["kind"], vector["data"].encode(), bytes.fromhex(vector["signature"])

    assert signed_bytes(kind, data).hex() == vector["signed_bytes"]
    assert KEY.sign(kind, data) == signature
    verify(KEY.node_id, kind, data, signature)


@pytest.mark.parametrize("vector", VECTORS["canonical"])
def test_canonical_bytes_are_as_written(vector: dict[str, Any]) -> None:
    assert canonical_bytes(vector["value"]).hex() == vector["bytes"]


@pytest.mark.parametrize("value", VECTORS["not_canonical"])
def test_what_has_no_canonical_form_has_none(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_bytes(value)


def test_every_fault_is_explained() -> None:
    page = (FOLDER / "capabilities.md").read_text(encoding="utf-8")

    assert [fault for fault in Fault if f"| `{fault}` |" not in page] == []


def test_the_bounds_of_http_are_as_written() -> None:
    page, limits = (FOLDER / "http.md").read_text(encoding="utf-8"), HttpLimits()

    for promise in (
        f"{limits.head_bytes // 1024} KiB, {limits.headers} of them, within {limits.head_seconds:g} s",
        f"{limits.target_bytes // 1024} KiB",
        f"{limits.body_least // 1024} KiB in each {limits.body_seconds:g} s",
        f"takes nothing | {limits.write_seconds:g} s",
        f"idle connection | {limits.keep_alive_seconds:g} s",
        f"ahead of their answers | {limits.pipelined} |",
        f"{limits.connections}, of them {limits.connections_per_peer} from one other machine",
    ):
        assert promise in page


@pytest.mark.parametrize("vector", MODELS["json vectors"]["ids"], ids=lambda vector: vector["id"])
def test_ids_are_as_written(vector: dict[str, Any]) -> None:
    said = {name: vector[name] for name in ("parameters", "file_type") if name in vector}

    assert derive_model_id(vector["repo"], vector["file"], **said) == vector["id"]


def test_the_torrent_of_a_file_is_as_written() -> None:
    vector = MODELS["json vectors"]["torrent"]
    content = (vector["repeated"] * (vector["length"] // len(vector["repeated"]))).encode()
    pieces = Pieces()
    pieces.update(memoryview(content))
    hashes = pieces.digest()
    made = household_torrent(vector["name"], vector["length"], hashes, card=vector["card"])

    assert hashlib.sha256(content).hexdigest() == vector["sha256"]
    assert hashes.hex() == vector["pieces"]
    assert made.infohash.hex() == vector["infohash"]
    assert b'{"format":"gguf","model_id":"mistral:7b:instruct:q4_k_m","revision":"0' in made.content
    assert b"10:created by4:bt/1" in made.content


def test_the_torrent_for_everybody_is_as_written() -> None:
    file, vector = MODELS["json vectors"]["torrent"], MODELS["json vectors"]["public_torrent"]
    leaves = Leaves()
    leaves.update((file["repeated"] * (file["length"] // len(file["repeated"]))).encode())
    tree = leaves.digest()
    made = public_torrent(file["name"], file["length"], bytes.fromhex(file["pieces"]), tree, card=file["card"])

    assert (tree.root.hex(), tree.layer.hex()) == (vector["pieces_root"], vector["piece_layer"])
    assert made.infohash_v2 is not None
    assert (made.infohash.hex(), made.infohash_v2.hex()) == (vector["infohash"], vector["infohash_v2"])


def test_a_manifest_is_as_written() -> None:
    given: dict[str, Any] = dict(MODELS["json manifest"])
    key = NodeKey(bytes.fromhex(given.pop("seed")))
    signed = SignedPublication.model_validate_json(json.dumps(given))
    page = (FOLDER / "models.md").read_text(encoding="utf-8")

    assert sign_publication(verify_publication(signed), key) == signed
    assert [name for name in Publication.model_fields if f"`{name}`" not in page] == []


def test_a_list_of_models_has_the_fields_as_written() -> None:
    page = (FOLDER / "household.md").read_text(encoding="utf-8")

    assert [name for name in SharedModel.model_fields if f"`{name}`" not in page] == []
    assert f"`{{{', '.join(SharedFile.model_fields)}}}`" in page


def test_the_revision_of_what_came_from_no_hub_is_as_written() -> None:
    vector = MODELS["json vectors"]["local_revision"]

    assert revision_of([tuple(one) for one in vector["files"]]) == vector["revision"]


def test_a_receipt_is_as_written() -> None:
    shown = MODELS["json receipt"]
    page = (FOLDER / "models.md").read_text(encoding="utf-8")

    written = receipt_data(parse_receipt(json.dumps(shown).encode(), "the page"))
    assert json.loads(json.dumps(written)) == shown
    assert list(written) == list(shown)
    assert [name for name in shown if f"`{name}`" not in page] == []


def test_the_manifest_of_a_bundle_has_the_fields_as_written() -> None:
    page = (FOLDER / "models.md").read_text(encoding="utf-8")
    receipt = parse_receipt(json.dumps(MODELS["json receipt"]).encode(), "the page")

    made = json.loads(manifest_text(b"receipt", ((receipt.files[0], True),)))
    assert f'{{"schema": {BUNDLE_SCHEMA}, "receipt"' in page
    assert list(made) == ["schema", "receipt", "files"]
    assert list(made["receipt"]) == ["name", "size", "sha256"]
    assert list(made["files"][0]) == ["path", "size", "sha256", "pieces"]
