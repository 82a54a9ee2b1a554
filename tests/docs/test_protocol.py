"""The vectors and numbers the protocol pages promise, held against the code."""

import json
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks
from thorp.identity.ids import public_key_of
from thorp.identity.keys import NodeKey, signed_bytes, verify
from thorp.net.hygiene import HttpLimits
from thorp.wire.canonical import NotCanonicalError, canonical_bytes
from thorp.wire.faults import Fault

FOLDER = ROOT / "docs/protocol"
[VECTORS] = [
    json.loads(block.text)
    for block in blocks((FOLDER / "identity.md").read_text(encoding="utf-8"))
    if block.info == "json vectors"
]
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
