"""The library without a node: the same answers as a node gives, from the same folder."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.models.world import REPO, opened, stocked
from thorp.app.environment import Environment, HubVariables
from thorp.app.paths import paths_of
from thorp.app.shelf import complete_here, folder_here, library_here, models_folder
from thorp.base.errors import UsageError
from thorp.models.settings import ModelSettings
from thorp.testing.hub import FakeHub

HOME, CACHE = Path("/hf"), Path("/cache")


@pytest.mark.parametrize(
    ("cache", "home", "said", "folder"),
    [
        (CACHE, HOME, "/said", "/cache"),
        (None, HOME, "/said", "/hf/hub"),
        (None, None, "/said", "/said"),
        (None, None, "", "{root}/hub"),
        (CACHE, None, "", "/cache"),
        (None, HOME, "", "/hf/hub"),
    ],
)
def test_the_models_folder_is_where_the_first_of_them_says(
    tmp_path: Path, cache: Path | None, home: Path | None, said: str, folder: str
) -> None:
    paths = paths_of(Environment(home=tmp_path))
    variables = HubVariables(cache=cache, home=home)

    assert models_folder(paths, variables, ModelSettings(dir=said)) == Path(folder.format(root=tmp_path))


def test_a_models_folder_may_start_with_the_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    found = models_folder(paths_of(Environment(home=tmp_path)), HubVariables(), ModelSettings(dir="~/models"))

    assert found == tmp_path / "models"


@pytest.mark.parametrize("text", ['[models]\ndir = "{to}"', 'models.dir = "{to}"', 'models = {{ dir = "{to}" }}'])
def test_what_the_settings_say_counts_here_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text.format(to=tmp_path / "said"))
    environment = Environment(home=tmp_path)

    assert folder_here(paths_of(environment), environment) == tmp_path / "said"


def test_a_variable_counts_more_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[models]\ndir = "/other"')
    given = {"THORP_HOME": str(tmp_path), "THORP_MODELS_DIR": str(tmp_path / "said")}
    environment = Environment.of(given)
    assert folder_here(paths_of(environment), environment) == tmp_path / "said"

    environment = Environment.of(given | {"HF_HUB_CACHE": str(tmp_path / "cache")})
    assert folder_here(paths_of(environment), environment) == tmp_path / "cache"


def test_settings_that_cannot_be_read_are_no_matter_where_they_do_not_decide(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[models\n")
    environment = Environment.of({"THORP_HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")})
    assert library_here(paths_of(environment), environment)["folder"] == str(tmp_path / "hf/hub")

    with pytest.raises(UsageError):
        library_here(paths_of(Environment(home=tmp_path)), Environment(home=tmp_path))


def test_what_is_answered_here_is_what_a_node_answers(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"ref": f"{REPO}:q4_k_m"},
        {"ref": REPO, "quant": "Q8_0"},
        {"ref": f"{REPO}:q8_0", "quant": "q8_0"},
        {"ref": "tiny:1b:base:q4_k_m"},
        {"ref": "fast"},
        {"ref": "FAST", "quant": "q4_k_m"},
        {"ref": f"{REPO}/Tiny-1B-Q8_0.gguf"},
        {"ref": f"hf.co/{REPO}:q8_0"},
    ]

    async def story() -> None:
        with FakeHub() as hub:
            stocked(hub, tmp_path)
            environment = Environment(home=tmp_path / "home")
            async with opened(tmp_path, hub) as world:
                for quant in ("q4_k_m", "q8_0"):
                    await world.pulled(f"{REPO}:{quant}")
                await world.ask("library.alias", name="fast", ref=f"{REPO}:q4_k_m")
                assert library_here(world.paths, environment) == await world.ask("library.list")
                for one in asked:
                    here = complete_here(world.paths, environment, one["ref"], one.get("quant"), None)
                    assert here is not None, one
                    assert here == await world.ask("model.pull", **one)

    asyncio.run(story())


def test_what_is_not_clear_or_not_whole_has_to_be_looked_for(tmp_path: Path) -> None:
    async def story() -> None:
        with FakeHub() as hub:
            stocked(hub, tmp_path)
            environment = Environment(home=tmp_path / "home")
            async with opened(tmp_path, hub) as world:
                for quant in ("q4_k_m", "q8_0"):
                    await world.pulled(f"{REPO}:{quant}")
                paths = world.paths
                for ref, quant, revision in (
                    (REPO, None, None),
                    (f"{REPO}:q2_k", None, None),
                    (f"{REPO}:q8_0", None, "main"),
                    ("tiny", None, None),
                    ("tiny:1b:base:q4_k_m", "q8_0", None),
                    (f"{REPO}:q4_k_m", "q8_0", None),
                    ("org/other", None, None),
                ):
                    assert complete_here(paths, environment, ref, quant, revision) is None
                receipt = world.library.one(f"{REPO}:q8_0")
                world.library.layout.file(REPO, receipt.revision, receipt.files[0].path).resolve().unlink()
                assert complete_here(paths, environment, f"{REPO}:q8_0", None, None) is None

    asyncio.run(story())


def test_an_empty_home_has_an_empty_library_and_nothing_is_made_for_it(tmp_path: Path) -> None:
    environment = Environment(home=tmp_path / "home")

    found = library_here(paths_of(environment), environment)

    assert found == {"folder": str(tmp_path / "home/hub"), "models": [], "unreadable": []}
