from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_node import STATUS, FakeNode
from tests.cli.terminal import on_a_terminal
from thorp.cli.table import COMMANDS
from thorp.cli.welcome import AGAIN, CHECK, CLAIM, HELP, KEY, LIST, OPEN, PULL, RESTART, UP, next_steps


def test_thorp_alone_shows_how_to_start_a_stopped_node(home: Path) -> None:
    seen = on_a_terminal(home)

    assert seen.startswith(f"The node of `{home}` is stopped.\n")
    assert "  thorp up " in seen
    assert len([line for line in seen.splitlines() if line.startswith("  thorp ")]) == 3


def test_thorp_alone_shows_the_status_of_a_running_node_and_what_to_do_next(home: Path, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", STATUS)
    seen = on_a_terminal(home)

    assert seen.startswith("attic is running")
    assert len([line for line in seen.splitlines() if line.startswith("  thorp ")]) == 3


def test_thorp_alone_tells_when_the_node_refuses(home: Path, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", {"error": {"code": "x", "message": "Busy."}}, status=503)
    seen = on_a_terminal(home)

    assert seen.startswith("Busy.\n")
    assert "thorp status" in seen


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        ({"claimed": False, "config": {"needs_restart": ["local.port"]}}, CLAIM),
        ({"claimed": True, "config": {"needs_restart": ["local.port"]}}, RESTART),
        ({"claimed": True, "config": {"needs_restart": []}}, OPEN),
    ],
)
def test_the_first_step_is_the_one_that_matters_most(answer: dict[str, Any], first: tuple[str, str]) -> None:
    for has_models in (True, False):
        steps = next_steps(answer, has_models=has_models)

        assert steps[0] == first
        assert len(set(steps)) == 3
        assert (PULL in steps) is not has_models


def test_every_step_is_a_command_that_exists() -> None:
    known = {f"thorp {entry.path}" for entry in COMMANDS} | {"thorp --help"}

    for command, _ in (AGAIN, CHECK, CLAIM, HELP, KEY, LIST, OPEN, PULL, RESTART, UP):
        assert command.removesuffix(" NAME").removesuffix(" QUERY") in known
