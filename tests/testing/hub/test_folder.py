import json
from pathlib import Path

import pytest

from thorp.base.errors import UsageError
from thorp.testing.hub import FakeHub
from thorp.testing.hub.folder import fill


@pytest.fixture(name="folder")
def a_folder(tmp_path: Path) -> Path:
    for path in ("org/one/a.gguf", "org/one/sub/b.json", "org/two/c.gguf", "stray.txt", ".cache/x/y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    return tmp_path


def test_a_folder_becomes_a_hub(folder: Path) -> None:
    said = {"license": "mit", "gated": "auto", "tags": ["chat"], "tokens": ["t"], "lfs_above": 3, "parameters": 7}
    (folder / "org/one/hub.json").write_text(json.dumps(said))
    hub = FakeHub()

    assert fill(hub, folder) == ["org/one", "org/two"]

    repo = hub.shelf.repos["org/one"]
    assert repo.head.files.keys() == {"a.gguf", "sub/b.json"}
    assert repo.head.files["a.gguf"].is_large
    assert (repo.about.license, repo.about.gated, repo.about.tags, repo.about.parameters) == (
        "mit",
        "auto",
        ("chat",),
        7,
    )
    assert hub.tokens == {"t": {"org/one"}}


@pytest.mark.parametrize("text", ["", "[]", '{"licence": "mit"}', '{"downloads": "many"}'])
def test_a_hub_json_that_is_wrong_is_named(folder: Path, text: str) -> None:
    (folder / "org/one/hub.json").write_text(text)
    with pytest.raises(UsageError, match=r"hub\.json"):
        fill(FakeHub(), folder)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        fill(FakeHub(), tmp_path / "none")
