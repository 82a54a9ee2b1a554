"""kill -9 at any moment of a pull: started again it goes on where it was, and ends as if nothing had happened.

THORP_TEST_KILLS says how often a large transfer is killed on its way (as many bytes apart), THORP_TEST_SEED repeats the
amounts of an earlier run.
"""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.pulls import MIB, ONE, ONE_FILE, SEEING, Home, Row, a_model, fill, followed, twice
from thorp.models.stages import Stage
from thorp.testing.hub import Content, FakeHub, Fault, FaultKind
from thorp.testing.process import environment_of, processes_of, running_node

KILLS: Final = int(os.environ.get("THORP_TEST_KILLS", "20")) // 4 + 1  # read before the tests hide the settings
SEED: Final = int(os.environ.get("THORP_TEST_SEED", secrets.randbelow(1_000_000)))
SIZE: Final = 40 * MIB  # five ranges, of which four run at once
RATE: Final = 4 * MIB  # bytes a second of each
A_SECOND: Final = 4 * RATE
SLOW: Final = Fault(FaultKind.SLOW, rate=RATE, times=None)

# Pulls without a node, and kills itself as soon as a stage is reached for the n-th time.
CHILD: Final = """
import os, signal, sys
from thorp.app.environment import Environment
from thorp.app.here import open_here
from thorp.app.paths import paths_of

wanted, times, ref = sys.argv[1], int(sys.argv[2]), sys.argv[3]
seen = []

def reached(stage):
    seen.append(stage.value)
    if seen.count(wanted) == times:
        os.kill(os.getpid(), signal.SIGKILL)

environment = Environment.read()
with open_here(paths_of(environment), environment, reached) as caller:
    answer = caller.call("model.pull", ref=ref)
    for row in caller.follow(answer["transfer_id"]):
        pass
print("never killed", wanted, seen, file=sys.stderr)
"""
OF_THE_FIRST_FILE: Final = ("locked", "fetched", "kept")
POINTS: Final = [(stage.value, 1) for stage in Stage] + [(stage, 2) for stage in OF_THE_FIRST_FILE]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("models"), size=SIZE)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as started:
        yield started


def killed_at(home: Home, stage: str, times: int, ref: str) -> None:
    """A pull in a process of its own that ended there."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, stage, str(times), ref],
        env=environment_of(home.at, **home.given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        _, said = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, said
    assert processes_of(child.pid) == set()


@pytest.mark.parametrize(("stage", "times"), POINTS, ids=lambda one: str(one).replace(" ", "-"))
def test_C35_a_pull_that_is_killed_at_any_stage_is_completed_by_the_next(
    here: Home, hub: FakeHub, stocked: dict[str, dict[str, Content]], stage: str, times: int
) -> None:
    """Two files, so that the first may be whole while the second has not begun."""
    fill(hub, {SEEING: stocked[SEEING]})
    killed_at(here, stage, times, SEEING)
    before = {path: hub.bytes_sent(path) for path in stocked[SEEING]}
    whole_before = set(here.blobs())
    hub.forget()
    receipt = here.pull(SEEING)
    here.proven(receipt, stocked[SEEING])
    assert [one["state"] for one in transfers(here)] == ["done"]
    here.settled()
    assert len(here.receipts()) == len(here.blobs()) - 1 == 1
    for path, content in stocked[SEEING].items():
        if content.sha256 in whole_before:  # what was whole is not fetched again
            assert hub.bytes_sent(path) == 0
        assert before[path] in (0, content.size)
    assert here.thorp("models", "verify", SEEING).returncode == 0


def transfers(home: Home) -> list[Row]:
    return json.loads(home.thorp("transfers", "--json").stdout)["transfers"]


def amounts() -> list[int]:
    """How many bytes are here when it is killed, ever more of them."""
    moments = random.Random(SEED)  # noqa: S311  (amounts, not secrets)
    step = (SIZE - 6 * MIB) // KILLS
    return [number * step + moments.randrange(MIB, step) for number in range(KILLS)]


def test_C35_killed_on_its_way_again_and_again_it_fetches_at_most_a_second_twice(
    here: Home, hub: FakeHub, model: Path
) -> None:
    print(f"THORP_TEST_SEED={SEED}")
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(SLOW)
    fetched: list[tuple[int, int]] = []
    for amount in amounts():
        with here.pulling(ONE) as process:
            here.until_noted(amount)
            process.kill()
            process.wait(60)
        assert twice(fetched, hub.fetched(ONE_FILE)) <= A_SECOND
        fetched += hub.fetched(ONE_FILE)
        hub.forget()
        here.nothing_installed()
    here.pull(ONE)
    assert twice(fetched, hub.fetched(ONE_FILE)) <= A_SECOND
    finished(here, model)


def finished(here: Home, model: Path) -> None:
    here.settled()
    [receipt] = here.receipts()
    assert here.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
    assert [one["state"] for one in here.records()] == ["done"]
    assert len(here.blobs()) == 1


def test_C35_a_node_that_is_killed_in_mid_transfer_goes_on_by_itself_when_it_is_back(
    here: Home, hub: FakeHub, model: Path
) -> None:
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(SLOW)
    fetched: list[tuple[int, int]] = []
    transfer = ""
    for amount in (6 * MIB, 18 * MIB):
        with running_node(here.at, **here.given) as node:
            if not transfer:
                answer = node.owner().request("POST", "/api/v1/models/download", {"ref": ONE})
                transfer = answer.data["transfer_id"]
            here.until_noted(amount)
            node.end(signal.SIGKILL)
        assert twice(fetched, hub.fetched(ONE_FILE)) <= A_SECOND
        fetched += hub.fetched(ONE_FILE)
        hub.forget()
        here.nothing_installed()
    with running_node(here.at, **here.given) as node:
        assert followed(node, transfer)["state"] == "done"
        listed = node.owner().request("GET", "/api/v1/models").data["models"]
        assert [one["state"] for one in listed] == ["complete"]
    assert twice(fetched, hub.fetched(ONE_FILE)) <= A_SECOND
    finished(here, model)


def test_C35_what_a_killed_node_left_is_completed_by_the_command_line(here: Home, hub: FakeHub, model: Path) -> None:
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(SLOW)
    with running_node(here.at, **here.given) as node:
        node.owner().request("POST", "/api/v1/models/download", {"ref": ONE})
        here.until_noted(8 * MIB)
        node.end(signal.SIGKILL)
    before, _ = hub.fetched(ONE_FILE), hub.forget()
    hub.faults.clear()
    here.pull(ONE)
    assert twice(before, hub.fetched(ONE_FILE)) <= A_SECOND
    finished(here, model)


def test_C35_a_node_that_starts_takes_over_what_a_killed_command_line_left(
    here: Home, hub: FakeHub, model: Path
) -> None:
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(SLOW)
    with here.pulling(ONE) as process:
        here.until_noted(8 * MIB)
        process.kill()
    before, _ = hub.fetched(ONE_FILE), hub.forget()
    hub.faults.clear()
    with running_node(here.at, **here.given) as node:
        assert followed(node, here.transfer())["state"] == "done"
    assert twice(before, hub.fetched(ONE_FILE)) <= A_SECOND
    finished(here, model)
