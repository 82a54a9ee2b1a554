"""A manifest is worth what its signature is worth, and speaks of the very files that are offered."""

import base64
from typing import Any

import pytest

from thorp.identity.keys import NodeKey
from thorp.wire.canonical import canonical_bytes
from thorp.wire.publication import (
    BadPublicationError,
    Hint,
    NotThePublisherError,
    Publication,
    PublishedFile,
    PublishedTorrent,
    check_publication,
    read_publication,
    sign_publication,
    verify_publication,
)

KEY = NodeKey(bytes(range(32)))
OTHER = NodeKey(bytes(32))
FROZEN = "r97YYl6KOyBu3LsE2UhqWvWiq0RuKeNUYzsPXzrIYLxC2Wjaz3RQHFfj5nniAo1KP0GUQ+07ywylJMMIL/DkCw=="
FILES = [("a.gguf", 7, "b" * 64)]


def said(**more: Any) -> Publication:
    given: dict[str, Any] = {
        "name": "org/model",
        "version": "main",
        "model_id": "m:7b:base:q8_0",
        "revision": "a" * 40,
        "artifact": "a",
        "format": "gguf",
        "license": "mit",
        "hints": (Hint(name="temperature", value="0.7"),),
        "total_size": 7,
        "files": (PublishedFile(path="a.gguf", size=7, sha256="b" * 64),),
        "torrents": (PublishedTorrent(path="a.gguf", recipe="household", infohash="c" * 40),),
        "tags": ("small",),
        "publisher": KEY.node_id,
        "created": "2026-11-20T10:00:00.000Z",
    }
    return Publication(**given | more)


def as_list(**changed: Any) -> dict[str, Any]:
    """As it comes with a neighbour's list, with some of it changed after it was signed."""
    given = sign_publication(said(), KEY).model_dump(mode="json")
    given["publication"] |= changed
    return given


def test_a_frozen_signature() -> None:
    """Others have made it of these bytes, so it must never come out in another way."""
    assert sign_publication(said(), KEY).signature == FROZEN


def test_what_was_signed_is_what_is_read() -> None:
    signed = sign_publication(said(), KEY)

    assert verify_publication(signed) == said()
    assert read_publication(signed.model_dump_json().encode()) == signed
    assert check_publication(as_list(), "org/model", "a" * 40, FILES) == said()


@pytest.mark.parametrize(
    "changed",
    [
        {"license": "apache-2.0"},
        {"files": [{"path": "a.gguf", "size": 7, "sha256": "d" * 64}]},
        {"torrents": []},
        {"publisher": OTHER.node_id},
        {"publisher": "nobody"},
        {"description": "\x1b[2J"},
    ],
)
def test_E64_a_manifest_that_was_changed_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadPublicationError, match="changed after it was signed"):
        check_publication(as_list(**changed), "org/model", "a" * 40, FILES)


@pytest.mark.parametrize("signature", ["", "AAAA", "=", "ä" * 88, "A" * 88])
def test_E64_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(BadPublicationError):
        check_publication(as_list() | {"signature": signature}, "org/model", "a" * 40, FILES)


def test_another_kind_of_signature_is_none() -> None:
    """Domains are apart: what a node signed as an announcement is no manifest."""
    wrong = base64.b64encode(KEY.sign("announce", canonical_bytes(said().model_dump(mode="json")))).decode()
    with pytest.raises(BadPublicationError):
        verify_publication(sign_publication(said(), KEY).model_copy(update={"signature": wrong}))


@pytest.mark.parametrize(
    ("name", "revision", "files"),
    [
        ("org/other", "a" * 40, FILES),
        ("org/model", "e" * 40, FILES),
        ("org/model", "a" * 40, [("a.gguf", 7, "d" * 64)]),
        ("org/model", "a" * 40, [("a.gguf", 8, "b" * 64)]),
        ("org/model", "a" * 40, [*FILES, ("b.gguf", 1, "b" * 64)]),
        ("org/model", "a" * 40, []),
    ],
)
def test_E64_a_manifest_of_something_else_is_refused(
    name: str, revision: str, files: list[tuple[str, int, str]]
) -> None:
    with pytest.raises(BadPublicationError):
        check_publication(as_list(), name, revision, files)


def test_one_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(BadPublicationError, match="contradicts itself"):
        verify_publication(sign_publication(said(total_size=8), KEY))
    twice = (PublishedFile(path="a.gguf", size=7, sha256="b" * 64),) * 2
    with pytest.raises(BadPublicationError, match="contradicts itself"):
        verify_publication(sign_publication(said(files=twice, total_size=14), KEY))


@pytest.mark.parametrize(
    "given", [{}, None, [], "x", 0.5, {"publication": {}, "signature": ""}, b"{", b"x" * 5_000_000]
)
def test_E64_what_is_no_manifest_is_refused(given: object) -> None:
    with pytest.raises(BadPublicationError):
        read_publication(given)


def test_nobody_signs_in_the_name_of_another() -> None:
    with pytest.raises(NotThePublisherError):
        sign_publication(said(), OTHER)
