"""What lies on a disk is recognised by looking, within bounds, and never made up."""

from pathlib import Path

import pytest

from thorp.base.errors import IntegrityError
from thorp.models.adopt_sources import (
    DEEPEST,
    MOST_FILES,
    NameNeededError,
    NothingToImportError,
    TooMuchToLookAtError,
    local_repo,
    of_cache,
    of_cached_repo,
    of_file,
    of_folder,
    of_snapshot_entry,
    walk,
)
from thorp.models.adopt_types import Skipped
from thorp.testing.gguf import header_only_gguf, projector_gguf
from thorp.testing.library import a_layout, a_library, an_artifact
from thorp.testing.safetensors import tiny_config, tiny_safetensors


def a_gguf(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return header_only_gguf(path, "llama")


@pytest.mark.parametrize(
    ("stem", "repo"),
    [
        ("Model-7B.Q4_K_M", "local/Model-7B.Q4_K_M"),
        ("my model (1)", "local/my-model-1"),
        ("a--b..c", "local/a-b.c"),
        ("x" * 200, "local/" + "x" * 96),
    ],
)
def test_a_name_is_made_of_what_a_name_may_be(stem: str, repo: str) -> None:
    assert local_repo(stem) == repo


@pytest.mark.parametrize("stem", ["", "---", "日本"])
def test_what_gives_no_name_asks_for_one(stem: str) -> None:
    with pytest.raises(NameNeededError, match="--name"):
        local_repo(stem)


def test_several_models_of_one_folder_are_several(tmp_path: Path) -> None:
    for name in ("A-7B-Q8_0.gguf", "B-3B-Q4_0.gguf"):
        a_gguf(tmp_path / "downloads" / name)
    found = of_folder(tmp_path / "downloads", None)

    assert {one.repo for one in found.artifacts} == {"local/A-7B-Q8_0", "local/B-3B-Q4_0"}
    assert {one.repo for one in of_folder(tmp_path / "downloads", "my/own").artifacts} == {"my/own"}


def test_the_folders_above_are_named_only_where_models_are_kept_like_that(tmp_path: Path) -> None:
    a_gguf(tmp_path / "ann/Downloads/A-7B-Q8_0.gguf")
    a_gguf(tmp_path / "Models/org/repo/A-7B-Q8_0.gguf")

    assert of_file(tmp_path / "ann/Downloads/A-7B-Q8_0.gguf", None).artifacts[0].repo == "local/A-7B-Q8_0"
    assert of_folder(tmp_path / "ann/Downloads", None).artifacts[0].repo == "local/A-7B-Q8_0"
    assert of_file(tmp_path / "Models/org/repo/A-7B-Q8_0.gguf", None).artifacts[0].repo == "org/repo"
    assert of_folder(tmp_path / "Models/org/repo", None).artifacts[0].repo == "org/repo"
    assert {one.repo for one in of_folder(tmp_path, None).artifacts} == {"ann/Downloads", "org/repo"}


def test_a_model_in_folders_is_one_model(tmp_path: Path) -> None:
    top = tmp_path / "embedder"
    (top / "1_Pooling").mkdir(parents=True)
    tiny_safetensors(top / "model.safetensors")
    tiny_config(top / "config.json")
    (top / "1_Pooling/config.json").write_text("{}")
    found = of_folder(top, None)

    assert [one.path for one in found.artifacts[0].files] == [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
    ]
    assert found.artifacts[0].repo == "local/embedder"


def test_what_only_belongs_to_a_model_is_none(tmp_path: Path) -> None:
    projector_gguf(tmp_path / "mmproj-F16.gguf")
    tiny_safetensors(tmp_path / "model.safetensors")

    with pytest.raises(NothingToImportError):
        of_file(tmp_path / "mmproj-F16.gguf", None)
    with pytest.raises(NothingToImportError, match="folder"):
        of_file(tmp_path / "model.safetensors", None)


def test_a_gguf_is_known_by_its_bytes(tmp_path: Path) -> None:
    found = of_file(a_gguf(tmp_path / "sha256-abc"), "my/own").artifacts[0]
    assert [one.path for one in found.files] == ["sha256-abc.gguf"]


def test_B33_names_that_a_disk_could_mix_up_are_refused(tmp_path: Path) -> None:
    a_gguf(tmp_path / "m/Model-7B-Q8_0.gguf")
    a_gguf(tmp_path / "m/model-7b-q8_0.gguf")
    found = of_folder(tmp_path / "m", None)

    assert found.artifacts == ()
    assert "take for one" in found.skipped[0].reason


def test_looking_has_an_end(tmp_path: Path) -> None:
    deep = tmp_path / "top"
    for _ in range(DEEPEST + 1):
        deep /= "d"
    a_gguf(deep / "A-7B-Q8_0.gguf")
    skipped: list[Skipped] = []

    assert list(walk(tmp_path / "top", skipped)) == []
    assert "folders deep" in skipped[0].reason


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.txt").touch()

    with pytest.raises(TooMuchToLookAtError):
        of_folder(tmp_path, None)


def test_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    a_gguf(tmp_path / "m/.cache/A-7B-Q8_0.gguf")
    assert of_folder(tmp_path / "m", None).artifacts == ()


def test_a_cache_has_only_what_looks_like_one(tmp_path: Path) -> None:
    other = a_library(tmp_path)
    given = an_artifact(other, "org/repo", {"A-7B-Q8_0.gguf": b"GGUF", "pytorch_model.bin": b"x"})
    hub = other.layout.hub
    for name in ("models--gpt2", "models--a--b--c", "datasets--org--x"):
        (hub / name / "snapshots").mkdir(parents=True)
    (hub / "models--org--repo/snapshots/main").mkdir()
    (hub / "models--org--repo/refs/odd").write_text("not a commit")
    found = of_cache(hub, a_layout(tmp_path / "mine"))

    assert [(one.repo, one.revision, one.version) for one in found.artifacts] == [("org/repo", given.revision, "main")]
    assert {one.path for one in found.skipped} == {"models--gpt2", "models--a--b--c", "org/repo@main"}
    assert found.artifacts[0].files[0].digest == given.files[0].sha256


def test_an_older_snapshot_stands_under_its_own_commit(tmp_path: Path) -> None:
    other = a_library(tmp_path)
    an_artifact(other, "org/repo", {"A-7B-Q8_0.gguf": b"GGUF1"}, "b" * 40)
    an_artifact(other, "org/repo", {"A-7B-Q8_0.gguf": b"GGUF2"}, "c" * 40)
    found = of_cached_repo(other.layout.repo("org/repo"), a_layout(tmp_path / "mine"))

    assert {(one.revision, one.version) for one in found.artifacts} == {("b" * 40, "b" * 40), ("c" * 40, "main")}


def test_a_snapshot_with_pickles_only_says_so(tmp_path: Path) -> None:
    other = a_library(tmp_path)
    an_artifact(other, "org/repo", {"pytorch_model.bin": b"x"})
    found = of_cached_repo(other.layout.repo("org/repo"), a_layout(tmp_path / "mine"))

    assert found.artifacts == ()
    assert "pickle" in found.skipped[0].reason


def test_a_path_into_a_snapshot_means_that_part_of_it(tmp_path: Path) -> None:
    other = a_library(tmp_path)
    files = {"a/A-7B-Q8_0.gguf": b"GGUF", "b/B-7B-Q8_0.gguf": b"GGUF2"}
    given = an_artifact(other, "org/repo", files)
    snapshot, mine = other.layout.snapshot("org/repo", given.revision), a_layout(tmp_path / "mine")

    for path, names in (
        (snapshot, {"A-7B-Q8_0", "B-7B-Q8_0"}),
        (snapshot / "a", {"A-7B-Q8_0"}),
        (snapshot / "x", set()),
    ):
        found = of_snapshot_entry(path, mine)
        assert found is not None
        assert {one.name for one in found.artifacts} == names
    assert of_snapshot_entry(tmp_path / "elsewhere", mine) is None


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.xyz").write_text("hello, this is no model at all")
    with pytest.raises(IntegrityError):
        of_file(tmp_path / "notes.xyz", None)
