"""kill -9 at any moment: nothing that was acknowledged is lost. THORP_TEST_KILLS says how often."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

import thorp
from tests.store.conftest import ROWS
from thorp.store.database import Database
from thorp.testing.clock import FakeClock

KILLS = int(os.environ.get("THORP_TEST_KILLS", "8"))  # read before the tests hide the person's settings
SOURCE = Path(thorp.__file__).parents[1]
PROGRAM = Path(__file__).with_name("killed.py")
MOST_LINES = 600


def killed_after(path: Path, lines: int) -> list[str]:
    """What the program had said when it was killed, some time after it said so many lines."""
    environment = os.environ | {"PYTHONPATH": f"{SOURCE}:{PROGRAM.parents[2]}"}
    command = [sys.executable, str(PROGRAM), str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        said = [child.stdout.readline().strip() for _ in range(lines)]
        child.kill()
        said += child.stdout.read().splitlines()[:-1]  # the last line may be torn
    return said


def kept(path: Path) -> set[int]:
    database = Database(path, ROWS, FakeClock())
    database.open()
    assert database.stopped_cleanly is not True
    assert database.check() == ()
    with database.read() as connection:
        rows = {number for (number,) in connection.execute("SELECT id FROM rows")}
    database.close()
    return rows


def test_no_acknowledged_row_is_lost_however_often_the_node_is_killed(path: Path) -> None:
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        lines = 3 + secrets.randbelow(MOST_LINES)
        acknowledged |= {int(word) for word in killed_after(path, lines) if word.isdigit()}
        assert acknowledged - kept(path) == set(), f"kill {kill} after {lines} lines"
    assert len(acknowledged) >= KILLS


@pytest.mark.parametrize("lines", [1, 2])
def test_a_kill_in_the_first_moments_leaves_something_that_opens(path: Path, lines: int) -> None:
    for kill in range(max(1, KILLS // 4)):
        new = path.with_name(f"{kill}.db")
        killed_after(new, lines)
        kept(new)
