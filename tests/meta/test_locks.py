"""The lock files: every package pinned and hashed, no address in them, and true to pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path.read_text() for path in (ROOT / "requirements").glob("*.lock")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+")


def pins(lock: str) -> dict[str, str]:
    """Package and version, one for each name."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def test_there_are_four_locks() -> None:
    assert sorted(LOCKS) == ["build", "node", "run", "test"]


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_is_nothing_but_pins_with_hashes(name: str) -> None:
    rest = PIN.sub("", LOCKS[name])

    assert rest.strip() == "", "renew it with script/lock"
    assert "://" not in LOCKS[name]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run", PROJECT["project"]["dependencies"]),
        ("test", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["test"]),
        ("build", PROJECT["build-system"]["requires"]),
    ],
)
def test_a_lock_satisfies_the_project(name: str, wanted: list[str]) -> None:
    pinned = pins(LOCKS[name])

    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {name}.lock; renew it with script/lock"
        assert requirement.specifier.contains(version), f"{name}.lock has {version}, the project wants {requirement}"


def test_the_locks_agree() -> None:
    every = {(package, version) for lock in LOCKS.values() for package, version in pins(lock).items()}

    assert len(every) == len({package for package, _ in every}), "two locks pin different versions; renew them"
