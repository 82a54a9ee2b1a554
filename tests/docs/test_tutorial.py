"""The sessions in the tutorial and the guides, run against a real node."""

from pathlib import Path

import pytest

from tests.docs.hub import hub
from tests.docs.pages import ROOT, blocks
from tests.docs.sessions import Step, pattern, shell, steps

START = (
    Step("export THORP_HOME=~/guide", ""),
    Step("thorp up --detach", "… is up: http://127.0.0.1:8737/#code=…\n…"),
)
GUIDES = [guide for guide in sorted((ROOT / "docs/guide").glob("*.md")) if "\n```console\n" in guide.read_text()]


def sessions(page: Path) -> list[Step]:
    found = blocks(page.read_text(encoding="utf-8"))
    return [step for block in found if block.language == "console" for step in steps(block.text)]


@pytest.mark.needs("curl")
def test_the_first_hour_goes_as_written(tmp_path: Path) -> None:
    with shell(tmp_path) as terminal:
        for step in sessions(ROOT / "docs/tutorial/first-hour.md"):
            terminal.run(step)


def test_the_first_model_goes_as_written(tmp_path: Path) -> None:
    with hub(tmp_path / "hub") as address, shell(tmp_path, address) as terminal:
        for step in sessions(ROOT / "docs/tutorial/first-model.md"):
            terminal.run(step)


@pytest.mark.needs("curl")
@pytest.mark.parametrize("guide", GUIDES, ids=[guide.stem for guide in GUIDES])
def test_a_guide_goes_as_written(tmp_path: Path, guide: Path) -> None:
    with hub(tmp_path / "hub") as address, shell(tmp_path, address) as terminal:
        for step in (*START, *sessions(guide)):
            terminal.run(step)


def test_the_tutorial_takes_every_step() -> None:
    """The steps a newcomer is promised; a page without them would pass by doing nothing."""
    said = "\n".join(step.command for step in sessions(ROOT / "docs/tutorial/first-hour.md"))

    for needed in ("init", "up --detach", "status", "open --print", "call node.echo", "capabilities", "keys create"):
        assert f"thorp {needed}" in said
    for needed in ("curl", "--scope", "config set", "config show --origin", "thorp down"):
        assert needed in said


def test_the_tutorial_of_models_takes_every_step() -> None:
    said = "\n".join(step.command for step in sessions(ROOT / "docs/tutorial/first-model.md"))

    for needed in ("search", "pull", "models", "models show", "models alias", "models verify", "models repair"):
        assert f"thorp {needed}" in said
    for needed in ("--dry-run", "HF_HUB_OFFLINE=1", "models export", "models import", "models rm"):
        assert needed in said


def test_a_command_that_prints_something_else_is_caught(tmp_path: Path) -> None:
    with shell(tmp_path) as terminal:
        terminal.run(Step("WORD=kept; echo one", "one"))
        terminal.run(Step('printf "%s" $WORD', "kept"))
        terminal.run(Step("true", ""))
        with pytest.raises(AssertionError, match="--- real\ntwo"):
            terminal.run(Step("echo two", "one"))
        with pytest.raises(AssertionError, match="--- real\nthree"):
            terminal.run(Step("echo three", ""))


def test_a_session_is_read_command_by_command() -> None:
    assert list(steps("$ one\n$ two \\\n    three\nshown\n\nmore\n")) == [
        Step("one", ""),
        Step("two \\\n    three", "shown\n\nmore"),
    ]


def test_an_ellipsis_stands_for_anything_in_its_place_only() -> None:
    shown = pattern("began at …\n…\nended")

    assert shown.fullmatch("began at noon\nended\n")
    assert shown.fullmatch("began at noon\nrested\nrested\nended\n")
    assert not shown.fullmatch("began at noon\nended\nand again\n")
    assert not shown.fullmatch("began\nended\n")
