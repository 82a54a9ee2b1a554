"""A capability whose self-test fails is not listed, by no way of asking, and the status says why."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.app.ready import Ready, parse_line
from thorp.testing.process import PATIENCE, NodeProcess, environment_of

PROGRAM = Path(__file__).with_name("broken_node.py")
REASON = "its self-test failed: there is no kettle"


@pytest.fixture
def broken(home: Path) -> Iterator[NodeProcess]:
    errors = home.parent / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(home)],
            env=environment_of(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        assert process.stdout
        said = parse_line(process.stdout.readline())
        if not isinstance(said, Ready):
            process.wait(PATIENCE)
            pytest.fail(errors.read_text())
        node = NodeProcess(home, process, said)
        yield node
        assert node.end() == 0


def test_a_capability_that_fails_its_self_test_is_not_listed_and_everybody_hears_why(broken: NodeProcess) -> None:
    rows = {row["id"]: row for row in broken.status()["capabilities"]}
    assert (rows["tea.brew@1.0"]["listed"], rows["tea.brew@1.0"]["reason"]) == (False, REASON)
    assert all(row["listed"] for name, row in rows.items() if name != "tea.brew@1.0")
    shown = broken.thorp("status").stdout.splitlines()
    assert [line for line in shown if "tea.brew" in line] == [f"cannot do  tea.brew@1.0: {REASON}"]

    listing = broken.thorp("capabilities")
    assert "tea.brew" not in listing.stdout
    assert listing.stderr == f"Not listed: tea.brew@1.0: {REASON}\n"
    asked = json.loads(broken.thorp("capabilities", "--json").stdout)["capabilities"]
    assert [row["reason"] for row in asked if not row["listed"]] == [REASON]

    refused = broken.thorp("call", "tea.brew")
    assert (refused.returncode, refused.stderr) == (3, f"tea.brew is not listed on this node: {REASON}.\n")
    assert broken.thorp("call", "node.echo", '{"text": "a"}').returncode == 0
    assert [line["level"] for line in broken.log() if "tea.brew" in line["message"]] == ["warning"]


def test_the_nearest_match_never_names_what_is_not_listed(broken: NodeProcess) -> None:
    refused = broken.thorp("call", "tea.bru")
    assert refused.returncode == 3
    assert "tea.brew" not in refused.stderr
