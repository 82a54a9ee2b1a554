"""Several processes and one transfer: whoever asks for the same bytes shares them, and anybody may steer it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.pulls import MIB, ONE, ONE_FILE, WORKING, Home, Row, a_model, ended, followed, twice
from thorp.testing.gguf import projector_gguf
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.process import NodeProcess, running_node, until

SIZE: Final = 24 * MIB  # three ranges
SLOW: Final = Fault(FaultKind.SLOW, rate=2 * MIB, times=None)  # of each range
MOST: Final = 6 * MIB  # what all ranges bring in a second


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("models"), size=SIZE)


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    with FakeHub() as started:
        started.add(ONE, {ONE_FILE: model})
        started.faults.add(SLOW)
        yield started


def whole(home: Home, model: Path) -> None:
    """The one model is here and right, and nothing else is."""
    home.settled()
    [receipt] = home.receipts()
    assert home.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
    assert len(home.blobs()) == 1
    assert {one["state"] for one in home.records()} == {"done"}


def ids(rows: list[Row]) -> set[str]:
    return {one.get("transfer_id") or one["id"] for one in rows}


def download(node: NodeProcess, ref: str = ONE, **more: object) -> str:
    """Begin one at the node; its id."""
    answer = node.owner().request("POST", "/api/v1/models/download", {"ref": ref, **more})
    assert answer.status == 202, answer
    return answer.data["transfer_id"]


# One transfer for whoever wants the same.


def test_C39_two_terminals_share_one_transfer(here: Home, hub: FakeHub, model: Path) -> None:
    with here.pulling(ONE) as first:
        here.until_noted(MIB)
        with here.pulling(ONE) as second:
            both = [ended(first), ended(second)]
    assert [code for code, _, _ in both] == [0, 0], both
    assert ids(both[0][1]) == ids(both[1][1])
    assert hub.bytes_sent(ONE_FILE) == SIZE
    whole(here, model)


def test_C39_two_terminals_that_begin_at_once_share_one_transfer(here: Home, hub: FakeHub, model: Path) -> None:
    hub.faults.clear()
    with ExitStack() as stack:
        both = [ended(one) for one in [stack.enter_context(here.pulling(ONE)) for _ in range(4)]]
    assert [code for code, _, _ in both] == [0] * 4, both
    assert hub.bytes_sent(ONE_FILE) == SIZE
    whole(here, model)


@pytest.mark.parametrize("first", ["node", "command line"])
def test_C39_a_node_and_a_command_line_share_one_transfer(here: Home, hub: FakeHub, model: Path, first: str) -> None:
    with ExitStack() as stack:
        if first == "node":
            node = stack.enter_context(running_node(here.at, **here.given))
            transfer = download(node)
            pulling = stack.enter_context(here.pulling(ONE))
        else:
            pulling = stack.enter_context(here.pulling(ONE))
            here.until_noted(MIB)
            node = stack.enter_context(running_node(here.at, **here.given))
            transfer = download(node)
            row = node.owner().request("GET", f"/api/v1/transfers/{transfer}").data
            assert (row["here"], row["state"]) == (False, "active")
        code, rows, said = ended(pulling)
        assert (code, ids(rows)) == (0, {transfer}), said
        assert followed(node, transfer)["state"] == "done"
    assert hub.bytes_sent(ONE_FILE) == SIZE
    whole(here, model)


@pytest.fixture
def twins(tmp_path: Path, hub: FakeHub) -> dict[str, Path]:
    """Two artifacts of one repository that have their projector in common, which is the larger part."""
    folder = tmp_path / "twins"
    files = {name: a_model(folder, name, seed=at) for at, name in enumerate(("See-1B-Q4_K_M.gguf", "See-1B-Q8_0.gguf"))}
    files["mmproj-F16.gguf"] = projector_gguf(folder / "mmproj-F16.gguf")
    with files["mmproj-F16.gguf"].open("ab") as file:
        file.write(os.urandom(6 * MIB))
    hub.add("org/See-1B-GGUF", files)
    return files


@pytest.mark.parametrize("way", ["command lines", "node"])
def test_two_artifacts_share_a_file_that_is_on_its_way(
    here: Home, hub: FakeHub, twins: dict[str, Path], way: str
) -> None:
    quants = ("q4_k_m", "q8_0")
    with ExitStack() as stack:
        if way == "node":
            node = stack.enter_context(running_node(here.at, **here.given))
            assert len({download(node, f"org/See-1B-GGUF:{one}") for one in quants}) == 2
        both = [stack.enter_context(here.pulling(f"org/See-1B-GGUF:{one}")) for one in quants]
        for one in both:
            code, _, said = ended(one)
            assert code == 0, said
    assert {path: hub.bytes_sent(path) for path in twins} == {path: at.stat().st_size for path, at in twins.items()}
    assert len(here.receipts()) == 2
    assert len(here.blobs()) == 3
    here.settled()


def test_the_same_file_in_another_repository_is_not_fetched_again(here: Home, hub: FakeHub, model: Path) -> None:
    hub.faults.clear()
    hub.add("other/Tiny-1B-GGUF", {ONE_FILE: model})
    here.pull(ONE)
    hub.forget()
    receipt = here.pull("other/Tiny-1B-GGUF")
    assert hub.bytes_sent(ONE_FILE) == 0
    assert here.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
    here.settled()


# Steering.


@dataclass(frozen=True)
class Carried:
    """A transfer under way, and everybody who may steer it."""

    home: Home
    id: str
    node: NodeProcess | None
    pulling: "subprocess.Popen[str] | None"

    def word(self, verb: str, *words: str) -> Row:
        told = self.home.thorp("transfers", verb, *words, "--json")
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    def rest(self, method: str, verb: str = "", body: object = None) -> Row:
        assert self.node is not None
        path = f"/api/v1/transfers/{self.id}{verb and '/'}{verb}"
        answer = self.node.owner().request(method, path, body)
        assert answer.status == 200, answer
        return answer.data

    @property
    def record(self) -> Row:
        return next(one for one in self.home.records() if one["id"] == self.id)

    def until_state(self, state: str) -> None:
        until(lambda: self.record["state"] == state, f"it is {state}")


@contextmanager
def carried(home: Home, carrier: str, steered_by: str) -> Iterator[Carried]:
    with ExitStack() as stack:
        node, pulling = None, None
        if carrier == "node":
            node = stack.enter_context(running_node(home.at, **home.given))
            transfer = download(node)
        else:
            pulling = stack.enter_context(home.pulling(ONE))
            transfer = home.transfer()
        home.until_noted(2 * MIB)
        if steered_by == "rest" and node is None:
            node = stack.enter_context(running_node(home.at, **home.given))
        yield Carried(home, transfer, node, pulling)


CARRIERS: Final = ("node", "command line")
WAYS: Final = pytest.mark.parametrize(
    ("carrier", "by"), [(carrier, by) for carrier in CARRIERS for by in ("command line", "rest")]
)


@WAYS
def test_a_transfer_is_paused_and_resumed_from_anywhere(
    here: Home, hub: FakeHub, model: Path, carrier: str, by: str
) -> None:
    with carried(here, carrier, by) as one:
        row = one.rest("PUT", "pause") if by == "rest" else one.word("pause", one.id)
        assert row["state"] == one.record["state"] == "paused"
        if one.pulling:
            code, rows, said = ended(one.pulling)
            assert (code, rows[-1]["state"]) == (75, "paused"), said
            assert "resume" in said
        before = hub.fetched(ONE_FILE)
        assert sum(end - first for first, end in before) < SIZE
        hub.forget()
        hub.faults.clear()
        if by == "rest":
            assert one.rest("PUT", "resume")["state"] in (*WORKING, "done")
        else:
            assert here.thorp("transfers", "resume", one.id, "--json").returncode == 0
        one.until_state("done")
        assert twice(before, hub.fetched(ONE_FILE)) <= MOST
    whole(here, model)


@WAYS
@pytest.mark.parametrize("keeping", [False, True])
def test_cancelling_leaves_nothing_unless_that_is_wanted(
    here: Home, hub: FakeHub, carrier: str, by: str, keeping: bool
) -> None:
    with carried(here, carrier, by) as one:
        if by == "rest":
            row = one.rest("DELETE", body={"keep_partial": keeping})
        else:
            row = one.word("cancel", one.id, "--yes", *(["--keep-partial"] if keeping else []))
        assert row["state"] == one.record["state"] == "cancelled"
        if one.pulling:
            code, rows, said = ended(one.pulling)
            assert (code, rows[-1]["state"]) == (8, "cancelled"), said
    here.nothing_installed()
    assert bool(here.own("partial")) is keeping
    assert keeping or list(here.models.glob("models--*/**/*")) == []
    before, _ = hub.fetched(ONE_FILE), hub.forget()
    hub.faults.clear()
    here.pull(ONE)
    again = twice(before, hub.fetched(ONE_FILE))
    assert again <= MOST if keeping else again == sum(end - first for first, end in before)
    assert here.own("partial") == []


@WAYS
def test_a_transfer_is_slowed_and_let_go_from_anywhere(
    here: Home, hub: FakeHub, model: Path, carrier: str, by: str
) -> None:
    def limit(rate: int) -> Row:
        if by == "rest":
            return one.rest("PUT", "limit", {"rate": rate})
        return one.word("limit", str(rate), one.id)

    with carried(here, carrier, by) as one:
        assert limit(MIB)["limit"] == MIB
        until(lambda: one.record["limit"] == MIB, "its carrier keeps to it")
        assert limit(0)["limit"] == 0
        until(lambda: one.record["limit"] == 0, "its carrier is free again")
        hub.faults.clear()
        one.until_state("done")
    whole(here, model)


@pytest.mark.parametrize("by", ["command line", "rest"])
def test_one_limit_for_all_holds_at_once_and_is_kept(here: Home, hub: FakeHub, by: str) -> None:
    with carried(here, "node", by) as one:
        assert one.node is not None
        if by == "rest":
            answer = one.node.owner().request("PUT", "/api/v1/transfers/limit", {"rate": 65_536})
            assert answer.data == {"limit": 65_536}
        else:
            assert one.word("limit", "65536") == {"limit": 65_536}
        until(lambda: one.record["rate"] < MIB, "it is slow")
        assert json.loads(here.thorp("transfers", "--json").stdout)["limit"] == 65_536
        assert json.loads(here.thorp("config", "get", "transfers.limit", "--json").stdout)["value"] == 65_536
        assert one.word("limit", "none") == {"limit": 0}
        hub.faults.clear()
        one.until_state("done")


def test_what_is_over_cannot_be_paused_slowed_or_resumed_to_something_else(here: Home, hub: FakeHub) -> None:
    hub.faults.clear()
    here.pull(ONE)
    transfer = here.transfer()
    for words in (("pause", transfer), ("limit", "1M", transfer), ("cancel", transfer, "--yes")):
        told = here.thorp("transfers", *words)
        assert (told.returncode, "is done already" in told.stderr) == (8, True), told
    assert here.thorp("transfers", "show", "01M7Y0BDH1KW1VY1X9PZR7XGQA").returncode == 3
    here.settled()


# Who leaves, and who stays.


def test_ctrl_c_without_a_node_pauses_and_the_next_pull_goes_on(here: Home, hub: FakeHub, model: Path) -> None:
    with here.pulling(ONE) as process:
        here.until_noted(4 * MIB)
        process.send_signal(signal.SIGINT)
        code, _, _ = ended(process)
    assert code == 130
    assert [one["state"] for one in here.records()] == ["paused"]
    here.nothing_installed()
    before, _ = hub.fetched(ONE_FILE), hub.forget()
    hub.faults.clear()
    here.pull(ONE)
    assert len(here.records()) == 1
    assert twice(before, hub.fetched(ONE_FILE)) <= MOST
    whole(here, model)


def test_ctrl_c_with_a_node_leaves_the_node_at_work(here: Home, hub: FakeHub, model: Path) -> None:
    with running_node(here.at, **here.given) as node:
        with here.pulling(ONE) as process:
            here.until_noted(2 * MIB)
            process.send_signal(signal.SIGINT)
            assert ended(process)[0] == 130
        assert here.records()[0]["state"] == "active"
        hub.faults.clear()
        assert followed(node, here.transfer())["state"] == "done"
    assert hub.bytes_sent(ONE_FILE) == SIZE
    whole(here, model)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_C39_one_of_two_processes_ends_and_the_other_goes_on(
    here: Home, hub: FakeHub, model: Path, end: signal.Signals
) -> None:
    with here.pulling(ONE) as first:
        here.until_noted(4 * MIB)
        with here.pulling(ONE) as second:
            assert second.stdout is not None
            assert json.loads(second.stdout.readline())["here"] is False
            first.send_signal(end)
            first.wait(60)
            before, _ = hub.fetched(ONE_FILE), hub.forget()
            hub.faults.clear()
            if end is signal.SIGINT:  # who paused it meant it
                assert ended(second)[0] == 75
                here.pull(ONE)
            else:
                code, rows, said = ended(second)
                assert (code, rows[-1]["state"]) == (0, "done"), said
    assert twice(before, hub.fetched(ONE_FILE)) <= MOST
    assert len(here.records()) == 1
    whole(here, model)


def test_C39_the_one_that_only_looks_on_may_be_killed(here: Home, hub: FakeHub, model: Path) -> None:
    with here.pulling(ONE) as first:
        here.until_noted(MIB)
        with here.pulling(ONE) as second:
            assert second.stdout is not None
            second.stdout.readline()
            second.kill()
        code, _, said = ended(first)
    assert code == 0, said
    assert hub.bytes_sent(ONE_FILE) == SIZE
    whole(here, model)


def test_C35_a_node_that_starts_takes_over_from_a_command_line_that_was_killed(
    here: Home, hub: FakeHub, model: Path
) -> None:
    with here.pulling(ONE) as process:
        here.until_noted(4 * MIB)
        with running_node(here.at, **here.given) as node:
            row = node.owner().request("GET", f"/api/v1/transfers/{here.transfer()}").data
            assert (row["here"], row["state"]) == (False, "active")
            process.kill()
            process.wait(60)
            before, _ = hub.fetched(ONE_FILE), hub.forget()
            until(lambda: node.owner().request("GET", f"/api/v1/transfers/{row['id']}").data["here"], "it took over")
            hub.faults.clear()
            assert followed(node, row["id"])["state"] == "done"
    assert twice(before, hub.fetched(ONE_FILE)) <= MOST
    whole(here, model)


def test_a_stopped_node_leaves_its_transfer_to_whoever_comes_next(here: Home, hub: FakeHub, model: Path) -> None:
    with running_node(here.at, **here.given) as node:
        transfer = download(node)
        here.until_noted(4 * MIB)
        assert node.end() == 0
    assert here.own("partial") != []
    before, _ = hub.fetched(ONE_FILE), hub.forget()
    hub.faults.clear()
    with running_node(here.at, **here.given) as node:
        assert followed(node, transfer)["state"] == "done"
    assert twice(before, hub.fetched(ONE_FILE)) <= MOST
    whole(here, model)
