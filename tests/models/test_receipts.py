"""Receipts come back as they were written, and nothing that is none passes for one."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.errors import ThorpError
from thorp.base.files import FileTooLargeError
from thorp.models.receipts import (
    LARGEST,
    BadReceiptError,
    NewerReceiptError,
    Origin,
    Receipt,
    ReceiptFile,
    parse_receipt,
    read_receipt,
    receipt_data,
    receipt_text,
    write_receipt,
)
from thorp.models.types import Format, SourceKind
from thorp.testing.faults import FaultyFiles, PowerCutError, every_fault

SHA = "ab" * 32
RECEIPT = Receipt(
    model_id="qwen2.5:0.5b:instruct:q8_0",
    repo="Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    revision="c" * 40,
    format=Format.GGUF,
    files=(ReceiptFile("sub/m.gguf", 7, SHA, "d" * 40), ReceiptFile("mmproj.gguf", 0, SHA)),
    source=Origin(SourceKind.LAN, "cellar"),
    downloaded_at="2025-01-01T00:00:00.000Z",
    verified_at="2025-01-02T00:00:00.000Z",
    artifact="m",
    aliases=("fast",),
    license="apache-2.0",
    parameters=494_000_000,
    quant="q8_0",
    modalities=("text", "image"),
    projector="mmproj.gguf",
)


def changed(**fields: Any) -> bytes:
    return json.dumps(receipt_data(RECEIPT) | fields).encode()


def with_file(**fields: Any) -> bytes:
    one = {"path": "m.gguf", "size": 1, "sha256": SHA, "infohash": None} | fields
    return changed(files=[one], projector=None)


def test_a_receipt_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_receipt(tmp_path / "metadata.json", RECEIPT)

    assert read_receipt(tmp_path / "metadata.json") == RECEIPT
    assert json.loads((tmp_path / "metadata.json").read_bytes())["size_bytes"] == 7
    assert (tmp_path / "metadata.json").stat().st_mode & 0o777 == 0o600


def test_it_holds_what_the_contract_names() -> None:
    assert " ".join(sorted(receipt_data(RECEIPT))) == (
        "aliases architecture artifact claimed_by context_length downloaded_at files format gated license modalities "
        "model_id parameters projector quant repo revision schema size_bytes source verified_at version"
    )


def test_names_of_its_own_are_kept_once_and_sorted() -> None:
    assert RECEIPT.with_aliases(("z", "a", "z")).aliases == ("a", "z")
    assert RECEIPT.key == f"{RECEIPT.repo}@{RECEIPT.revision}/m"


def test_fields_that_are_not_known_are_passed_over() -> None:
    assert parse_receipt(changed(weather="fine"), "x") == RECEIPT


def test_C45_a_receipt_of_a_newer_thorp_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_bytes(changed(schema=2))

    with pytest.raises(NewerReceiptError, match="newer Thorp") as refused:
        read_receipt(path)

    assert refused.value.exit_code == 8
    assert path.read_bytes() == changed(schema=2)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"schema": 1}',
        b'{"schema": 1' + b"0" * 5000 + b"}",
        changed(schema=0),
        changed(schema="1"),
        changed(schema=None),
        changed(repo="../../etc"),
        changed(repo="a/../b"),
        changed(repo=7),
        changed(revision="main"),
        changed(revision="../" * 10 + "x" * 10),
        changed(revision=SHA),
        changed(artifact=".."),
        changed(artifact="a/b"),
        changed(artifact="a\\b"),
        changed(artifact=""),
        changed(artifact="x" * 300),
        changed(format="pickle"),
        changed(files=[]),
        changed(files={}),
        changed(files=[None]),
        changed(files="m.gguf"),
        changed(projector="other.gguf"),
        changed(source="hub"),
        changed(source={"kind": "torrent"}),
        changed(aliases="fast"),
        changed(aliases=[1]),
        changed(modalities=[{}]),
        changed(quant=4),
        changed(quant=0),
        changed(license=["mit"]),
        changed(version=None),
        changed(parameters="many"),
        changed(parameters=True),
        changed(gated="no"),
        changed(downloaded_at="yesterday"),
        changed(verified_at="2025-01-01T00:00:00"),
        with_file(path="../m.gguf"),
        with_file(path="/etc/passwd"),
        with_file(path="a/../../b"),
        with_file(path="a\x00b"),
        with_file(path="C:\\x"),
        with_file(path=""),
        with_file(path=None),
        with_file(size=-1),
        with_file(size=1.5),
        with_file(size=True),
        with_file(size="1"),
        with_file(sha256=SHA[:-1]),
        with_file(sha256="d" * 40),
        with_file(sha256=f"../{SHA}"),
        with_file(sha256=SHA.upper()),
        with_file(sha256=None),
        with_file(infohash="x"),
        with_file(infohash=SHA),
    ],
)
def test_D_what_is_no_receipt_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(BadReceiptError, match=r"`the receipt` cannot be read.*thorp models import"):
        parse_receipt(text, "the receipt")


def test_D_a_huge_receipt_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "metadata.json").open("wb") as file:
        file.truncate(LARGEST + 1)

    with pytest.raises(FileTooLargeError):
        read_receipt(tmp_path / "metadata.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    ),
    st.data(),
)
def test_D_any_value_in_any_field_is_taken_or_refused_in_our_words(value: object, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(receipt_data(RECEIPT))))
    try:
        receipt = parse_receipt(changed(**{field: value}), "x")
    except ThorpError:
        return
    assert parse_receipt(receipt_text(receipt), "x") == receipt


def test_C37_a_receipt_is_old_or_new_whatever_the_disk_does() -> None:
    path, new = Path("/metadata.json"), replace(RECEIPT, aliases=("other",))
    for files in every_fault():
        write_receipt(path, RECEIPT, files)
        files.arm()
        _try(files, path, new)
        files.crash()
        assert read_receipt(path, files) in (RECEIPT, new)


def _try(files: FaultyFiles, path: Path, receipt: Receipt) -> None:
    with suppress(ThorpError, PowerCutError):
        write_receipt(path, receipt, files)
