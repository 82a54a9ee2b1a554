import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.testing.hub.content import (
    Part,
    blocks,
    body_of,
    bytes_of,
    content_of,
    flipped,
    git_blob,
    length_of,
    split,
)

BODIES = st.lists(st.binary(max_size=20)).map(lambda all_: tuple(part for one in all_ for part in body_of(one)))


def test_the_name_of_a_blob_is_what_git_says() -> None:
    said = subprocess.run(["git", "hash-object", "--stdin"], input=b"hello\n", capture_output=True, check=True)
    assert git_blob(b"hello\n") == said.stdout.decode().strip()


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_large_file_is_kept_by_lfs_and_a_small_one_by_git(tmp_path: Path, on_disk: bool) -> None:
    data = b"model" * 100
    (tmp_path / "file").write_bytes(data)
    source = tmp_path / "file" if on_disk else data

    small, large = content_of(source, lfs_above=500), content_of(source, lfs_above=499)

    assert (small.is_large, small.blob, small.pointer) == (False, git_blob(data), None)
    assert (large.is_large, large.sha256, large.size) == (True, hashlib.sha256(data).hexdigest(), 500)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{large.sha256}\nsize 500\n".encode()
    assert (large.blob, large.pointer) == (git_blob(pointer), len(pointer))
    assert large.part(5, 15).read() == b"modelmodel"


def test_the_cdn_has_a_name_of_its_own_for_a_file() -> None:
    content = content_of(b"x")
    assert content.object != content.sha256
    assert len(content.object) == 64


def test_a_file_can_claim_to_be_another() -> None:
    true = content_of(b"x" * 20_000)
    lie = true.claiming(size=7, sha256="0" * 64)
    assert (lie.size, lie.sha256, lie.length, lie.part().read()) == (7, "0" * 64, 20_000, b"x" * 20_000)
    assert lie.blob != true.blob
    assert content_of(b"small").claiming(size=9).size == 9


@given(BODIES, st.integers(0, 200))
def test_a_split_body_is_the_same_body(body: tuple[Part, ...], at: int) -> None:
    before, after = split(body, at)
    assert bytes_of(before) + bytes_of(after) == bytes_of(body)
    assert length_of(before) == min(at, length_of(body))


@given(BODIES, st.integers(0, 50), st.integers(0, 50))
def test_flipping_twice_changes_nothing_and_once_only_what_was_meant(
    body: tuple[Part, ...], at: int, count: int
) -> None:
    wrong, true = bytes_of(flipped(body, at, count)), bytes_of(body)
    different = [place for place in range(len(true)) if wrong[place] != true[place]]
    assert different == list(range(at, min(at + count, len(true))))
    assert bytes_of(flipped(flipped(body, at, count), at, count)) == true


@given(BODIES, st.integers(1, 30))
def test_blocks_are_small_and_make_the_body(body: tuple[Part, ...], size: int) -> None:
    parts = tuple(blocks(body, size))
    assert bytes_of(parts) == bytes_of(body)
    assert all(0 < len(part) <= size for part in parts)
