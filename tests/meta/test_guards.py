import tomllib
from pathlib import Path

import pytest

from tools.meta.excuses import judged, read
from tools.meta.guards import broad_handlers, forbidden_words, suppressions, unreasoned
from tools.meta.source import python_files, repository_files

ROOT = Path(__file__).parents[2]
COUNTED = ("src", "webui", "tools", "hatch_build.py")
EXCEPTIONS = Path(__file__).with_name("exceptions.toml")


def test_no_file_holds_a_word_that_must_never_land() -> None:
    assert [found for path in repository_files(ROOT) for found in forbidden_words(path)] == []


def test_suppressions_name_a_rule_and_a_reason() -> None:
    assert [found for path in python_files(ROOT / "src") for found in unreasoned(path)] == []


def test_suppressions_only_get_fewer() -> None:
    allowed = tomllib.loads(EXCEPTIONS.read_text())["suppressions"]["count"]
    sources = [path for path in repository_files(ROOT) if path.parts[len(ROOT.parts)] in COUNTED]

    found = sum(len(suppressions(path)) for path in sources if path.suffix in (".py", ".ts", ".tsx"))

    assert found == allowed, f"{found} suppressions, {allowed} in {EXCEPTIONS.name}: remove one, or lower the number"


def test_everything_is_caught_at_the_borders_only() -> None:
    assert judged(broad_handlers(ROOT / "src/thorp"), read(EXCEPTIONS, "borders")) == []


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ("see https://py" + "pi.org/simple", "the address of a package registry"),
        ("resolved: registry.npm" + "js.org", "the address of a package registry"),
        ("open('/ho" + "me/ann/models')", "a path of somebody's machine"),
        ("cd /ro" + "ot/thorp", "a path of somebody's machine"),
        ("# TO" + "DO later", "an unfinished end"),
    ],
)
def test_a_planted_word_is_caught(tmp_path: Path, planted: str, what: str) -> None:
    file = tmp_path / "notes.md"
    file.write_text(f"first line\n{planted}\n")

    assert [f"{file}:2: {what}" in found for found in forbidden_words(file)] == [True]


@pytest.mark.parametrize("fine", ["https://thorp.example/home/page", "$HOME/models", "~/models", "tests/home/ann"])
def test_a_harmless_path_is_not(tmp_path: Path, fine: str) -> None:
    file = tmp_path / "notes.md"
    file.write_text(fine)

    assert forbidden_words(file) == []


@pytest.mark.parametrize("mark", ["# noqa", "# noqa: S105", "# type: ignore", "# ruff: noqa: S105", "# pyright: basic"])
def test_a_blanket_suppression_is_caught(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "plan.py"
    file.write_text(f"word = 1  {mark}\n")

    assert unreasoned(file) == [f"{file}: {mark}"]


def test_a_suppression_with_a_reason_counts_and_passes(tmp_path: Path) -> None:
    file = tmp_path / "plan.py"
    file.write_text("word = 1  # noqa: S105  (a kind of principal, not a secret)\n")

    assert unreasoned(file) == []
    assert len(suppressions(file)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    go()\nexcept Exception:\n    pass\n",
        "try:\n    go()\nexcept (ValueError, BaseException) as error:\n    raise KeyError from error\n",
        "try:\n    go()\nexcept:\n    pass\n",
        "with contextlib.suppress(Exception):\n    go()\n",
    ],
)
def test_a_broad_handler_is_caught(tmp_path: Path, body: str) -> None:
    (tmp_path / "plan.py").write_text(body)

    assert list(broad_handlers(tmp_path)) == ["plan.py"]


@pytest.mark.parametrize(
    "handler", ["except* (OSError, ValueError):\n    pass", "except BaseException:\n    undo()\n    raise"]
)
def test_a_handler_that_is_narrow_or_raises_on_is_not(tmp_path: Path, handler: str) -> None:
    (tmp_path / "plan.py").write_text(f"try:\n    go()\n{handler}\n")

    assert broad_handlers(tmp_path) == {}
