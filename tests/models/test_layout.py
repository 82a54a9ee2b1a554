"""Places of models: built from digests that were read, never from text as it came."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.layout import BadDigestError, digest_of, link_target, linked_digest, repo_folder, repo_of
from thorp.models.refs import BadRefError, check_path, check_repo
from thorp.testing.library import a_layout

SHA = "ab" * 32
GIT = "cd" * 20
NAME = st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9_])?", fullmatch=True)


@pytest.mark.parametrize(
    "text", ["", "../" * 20, SHA[:-1], SHA + "0", SHA.upper(), f" {SHA}", f"{SHA}\n", "g" * 64, "٣" * 40]
)
def test_what_is_no_hash_names_nothing(text: str) -> None:
    with pytest.raises(BadDigestError) as refused:
        digest_of(text)
    assert refused.value.exit_code == 6


def test_every_place_lies_where_huggingface_hub_looks(tmp_path: Path) -> None:
    layout, hub = a_layout(tmp_path), tmp_path / "hub"
    top = hub / "models--org--repo"

    assert layout.blob("org/repo", digest_of(SHA)) == top / "blobs" / SHA
    assert layout.file("org/repo", GIT, "sub/m.gguf") == top / "snapshots" / GIT / "sub/m.gguf"
    assert layout.ref("org/repo", "refs/pr/1") == top / "refs/refs/pr/1"
    assert layout.hub_lock("org/repo", digest_of(SHA)) == hub / f".locks/models--org--repo/{SHA}.lock"
    assert layout.partial("org/repo", digest_of(GIT)) == top / ".thorp/partial" / GIT
    assert layout.quarantine("org/repo", digest_of(SHA)) == top / ".thorp/quarantine" / SHA
    assert layout.receipt("org/repo", GIT, "m") == tmp_path / f"data/receipts/org/repo/{GIT}/m/metadata.json"
    assert layout.pieces(layout.receipt("org/repo", GIT, "m"), digest_of(SHA)).name == f"{SHA}.pieces"
    assert layout.torrent(digest_of(GIT)) == tmp_path / f"data/torrents/{GIT}.torrent"


def test_a_revision_that_is_none_makes_no_place(tmp_path: Path) -> None:
    for work in (a_layout(tmp_path).snapshot, lambda repo, text: a_layout(tmp_path).receipt(repo, text, "m")):
        with pytest.raises(BadDigestError):
            work("org/repo", "../../../etc")


@given(NAME, NAME)
def test_the_folder_of_a_repository_tells_which_one_it_is(owner: str, name: str) -> None:
    repo = f"{owner}/{name}"
    try:
        check_repo(repo)
    except BadRefError:
        return
    assert repo_of(repo_folder(repo)) == repo


@pytest.mark.parametrize(
    ("folder", "repo"),
    [("models--gpt2", "gpt2"), ("datasets--a--b", None), ("models", None), ("models--", None), (".locks", None)],
)
def test_other_folders_are_of_no_repository(folder: str, repo: str | None) -> None:
    assert repo_of(folder) == repo


@given(st.lists(NAME, min_size=1, max_size=4), st.sampled_from([SHA, GIT]))
def test_a_link_leads_from_its_place_to_its_blob(parts: list[str], digest: str) -> None:
    path = "/".join(parts)
    try:
        check_path(path)
    except BadRefError:
        return
    layout = a_layout(Path("/home"))
    entry, target = layout.file("org/repo", GIT, path), link_target(path, digest_of(digest))

    steps = target.count("../")
    assert entry.parents[steps] / target[steps * 3 :] == layout.blob("org/repo", digest_of(digest))
    assert linked_digest(target) == digest_of(digest)


@pytest.mark.parametrize(
    "target",
    [
        f"/hub/blobs/{SHA}",
        f"blobs/{SHA}",
        f"../blobs/{SHA}",
        f"../../blobs/{SHA}/x",
        f"../../x/blobs/{SHA}",
        "../../blobs/x",
        "",
    ],
)
def test_C43_a_link_to_anywhere_else_is_none_to_a_blob(target: str) -> None:
    assert linked_digest(target) is None
