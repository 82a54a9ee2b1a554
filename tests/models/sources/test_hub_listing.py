from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from thorp.models.sources.hub_errors import BadHubAnswerError
from thorp.models.sources.hub_listing import files_are_told, hit_of, is_repo_name, repo_of, siblings_of, tree_files
from thorp.models.types import Hit, RemoteFile

E, A = "e" * 64, "a" * 40


@dataclass
class Info:
    """What the library hands over."""

    id: Any = "o/r"
    sha: Any = "c" * 40
    tags: Any = field(default_factory=list)
    downloads: Any = 1
    likes: Any = 2
    gated: Any = False
    last_modified: Any = None
    card_data: Any = None
    gguf: Any = None
    safetensors: Any = None
    siblings: Any = field(default_factory=list)


def sibling(name="x", size=1, blob=A, lfs=None):
    return SimpleNamespace(rfilename=name, path=name, size=size, blob_id=blob, lfs=lfs)


def lfs(sha256=E, size=1):
    return SimpleNamespace(sha256=sha256, size=size)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        *((good, True) for good in ("o/r", "gpt2", "a.b/c_d-e")),
        *((bad, False) for bad in ("a/b/c", "../b", "a/..b", "a..b/c", "", "a/", "a b/c", "a/b?c", "é/b")),
    ],
)
def test_a_name_of_a_repository(name, good):
    assert is_repo_name(name) is good


def test_a_line_of_a_search():
    when = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    info = Info(tags=["gguf", "license:mit"], gated="manual", gguf={"total": 7}, last_modified=when)
    expected = Hit("o/r", 1, 2, True, "mit", "2025-01-02T03:04:05.000Z", ("gguf", "license:mit"), 7)
    assert hit_of(info) == expected


@pytest.mark.parametrize("name", [None, 5, "a/b/c", "x\x1b[2J/y"])
def test_a_line_without_a_name_is_left_out(name):
    assert hit_of(Info(id=name)) is None


def test_odd_fields_count_as_unsaid():
    info = Info(downloads="many", likes=-1, tags=[5, "ok", "\x07", "x" * 2000], gguf={"total": True}, gated=None)
    assert hit_of(info) == Hit("o/r", 0, 0, False, None, None, ("ok",), None)


@pytest.mark.parametrize(
    ("card", "tags", "terms", "base"),
    [
        ({"license": "mit", "base_model": "a/b"}, ["license:other"], "mit", "a/b"),
        ({"license": ["x", "y"], "base_model": ["a/b", "c/d"]}, [], "x", "a/b"),
        ({"license": 5, "base_model": {}}, ["license:apache-2.0", "base_model:a/b"], "apache-2.0", "a/b"),
        ({}, ["base_model:quantized:a/b"], None, "a/b"),
        ({"base_model": "../../x"}, [], None, None),
    ],
)
def test_licence_and_base_model_come_from_the_card_or_the_tags(card, tags, terms, base):
    found = repo_of(Info(card_data=SimpleNamespace(**card), tags=tags), iter(()))
    assert (found.license, found.base_model) == (terms, base)


def test_parameters_come_from_either_format():
    assert repo_of(Info(safetensors=SimpleNamespace(total=9)), iter(())).parameters == 9
    assert repo_of(Info(gguf={"total": 8}), iter(())).parameters == 8
    assert repo_of(Info(gguf={"total": 0}), iter(())).parameters is None


def test_a_file_is_named_by_its_sha256_where_it_has_one():
    info = Info(siblings=[sibling("a", 5, A, lfs(E, 7)), sibling("b", 3)])
    assert files_are_told(info)
    assert repo_of(info, siblings_of(info)).files == (RemoteFile("a", 7, E, E), RemoteFile("b", 3, A))


def test_a_tree_is_read_without_its_folders():
    assert list(tree_files([SimpleNamespace(path="d", tree_id=A), sibling("b", 3)])) == [RemoteFile("b", 3, A)]


@pytest.mark.parametrize("siblings", [None, [sibling(size=None)], [sibling(blob=None)]])
def test_what_is_not_told_is_noticed(siblings):
    assert not files_are_told(Info(siblings=siblings))


@pytest.mark.parametrize(
    "one",
    [
        sibling(name=""),
        sibling(name="a\nb"),
        sibling(name="x" * 2000),
        sibling(size=-1),
        sibling(size=True),
        sibling(size=1 << 63),
        sibling(blob="../../etc"),
        sibling(blob=A.upper()),
        sibling(lfs=lfs(A)),
        sibling(lfs=lfs("../x")),
        sibling(lfs=lfs(E, None)),
    ],
)
def test_B32_B33_a_file_nobody_could_verify_is_refused(one):
    info = Info(siblings=[one])
    with pytest.raises(BadHubAnswerError):
        repo_of(info, siblings_of(info))


def test_B33_too_many_files_are_refused_before_they_are_counted():
    endless = (RemoteFile(str(number), 1, A) for number in range(10**9))
    with pytest.raises(BadHubAnswerError, match="more than 20000"):
        repo_of(Info(), endless)
