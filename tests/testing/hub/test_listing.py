from typing import Unpack

from thorp.testing.hub.listing import (
    OF_ONE,
    entry_of,
    facts,
    gated_of,
    page,
    paths_below,
    siblings_with_blobs,
    tags_of,
)
from thorp.testing.hub.repos import Repo, Said, Shelf

FILES = {"a.gguf": b"x" * 20, "sub/b.txt": b"b", "sub/deep/c.txt": b"c"}


def repo_of(files: dict[str, bytes], **about: Unpack[Said]) -> Repo:
    shelf = Shelf()
    shelf.add("org/tiny", files, lfs_above=10, **about)
    return shelf.repos["org/tiny"]


def test_tags_come_from_the_files_and_from_what_is_said() -> None:
    repo = repo_of(FILES, license="mit", tags=("chat", "gguf"), base_model="org/base")
    assert tags_of(repo) == [
        "gguf",
        "base_model:org/base",
        "base_model:quantized:org/base",
        "license:mit",
        "chat",
        "region:us",
    ]


def test_facts_nobody_knows_are_left_out() -> None:
    bare = repo_of({"a.txt": b"1"})
    assert {"gguf", "safetensors"}.isdisjoint(facts(bare, bare.head, OF_ONE))
    assert "baseModels" not in facts(bare, bare.head, ["baseModels"])


def test_parameters_stand_where_the_format_says() -> None:
    gguf, folder = repo_of({"a.gguf": b""}, parameters=7), repo_of({"a.safetensors": b""}, parameters=7)
    assert facts(gguf, gguf.head, ["gguf", "safetensors"])["gguf"] == {
        "total": 7,
        "architecture": "llama",
        "context_length": 4096,
    }
    assert facts(folder, folder.head, ["gguf", "safetensors"])["safetensors"] == {"parameters": {"BF16": 7}, "total": 7}


def test_gating_is_told_in_the_words_of_the_hub() -> None:
    assert [gated_of(repo_of(FILES, gated=how)) for how in (False, True, "auto")] == [False, "manual", "auto"]


def test_a_tree_has_files_and_folders() -> None:
    commit = repo_of(FILES).head
    assert paths_below(commit, "", False) == ("a.gguf", "sub")
    assert paths_below(commit, "", True) == ("a.gguf", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt")
    assert paths_below(commit, "sub", False) == ("sub/b.txt", "sub/deep")
    assert paths_below(commit, "su", False) is None


def test_entries_say_where_the_bytes_lie() -> None:
    commit = repo_of(FILES).head
    large, small = commit.files["a.gguf"], commit.files["sub/b.txt"]
    assert entry_of(commit, "a.gguf") == {
        "type": "file",
        "oid": large.blob,
        "size": 20,
        "path": "a.gguf",
        "lfs": {"oid": large.sha256, "size": 20, "pointerSize": large.pointer},
    }
    assert entry_of(commit, "sub/b.txt") == {"type": "file", "oid": small.blob, "size": 1, "path": "sub/b.txt"}
    assert (entry_of(commit, "sub", expand=True) or {}).keys() == {"type", "oid", "size", "path", "lastCommit"}
    assert "securityFileStatus" in (entry_of(commit, "a.gguf", expand=True) or {})
    assert entry_of(commit, "none") is None


def test_siblings_with_blobs() -> None:
    commit = repo_of(FILES).head
    said = siblings_with_blobs(commit)
    assert [one["rfilename"] for one in said] == sorted(FILES)
    assert ["lfs" in one for one in said] == [True, False, False]


def test_pages_follow_each_other_to_the_end() -> None:
    cursor: str | None = ""
    seen: list[int] = []
    while cursor is not None:
        shown, cursor = page(range(7), cursor, 3)
        seen += shown
    assert seen == list(range(7))


def test_a_cursor_of_somebody_else_is_the_beginning() -> None:
    assert [list(page([1, 2], cursor, 9)[0]) for cursor in ("!!", "x", "YWJj")] == [[1, 2]] * 3
