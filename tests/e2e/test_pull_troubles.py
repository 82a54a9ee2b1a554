"""What can go wrong with a pull: each trouble its own sentence and exit code, and never half a model in the library."""

import hashlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.pulls import (
    MANY,
    MANY_FILE,
    MIB,
    ONE,
    ONE_FILE,
    PARTS,
    PARTS_FILES,
    Home,
    a_model,
    ended,
)
from thorp.testing.hub import Content, FakeHub, Fault, FaultKind, On, content_of
from thorp.testing.process import free_port, running_node, until

SIZE: Final = 24 * MIB


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("models"), size=SIZE)


# Bytes.


def test_B32_wrong_bytes_are_fetched_once_more_and_then_refused(either: Home, hub: FakeHub) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=ONE_FILE, at=70_000, times=2))
    either.refused(ONE, code=6, says="other bytes than its hash says")
    either.nothing_installed()
    assert either.own("partial") == []
    assert len(either.own("quarantine")) == 1
    assert len(hub.fetched(ONE_FILE)) == 2
    either.pull(ONE)
    either.settled()


def test_B26_wrong_bytes_once_are_made_good_without_a_word(
    either: Home, hub: FakeHub, stocked: Mapping[str, Mapping[str, Content]]
) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=ONE_FILE, at=70_000))
    either.proven(either.pull(ONE), stocked[ONE])
    either.settled()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.CUT, after=100_000),
        Fault(FaultKind.CUT, after=100_000, reset=True),
        Fault(FaultKind.DROP, on=On.BYTES),
        Fault(FaultKind.DROP, on=On.RESOLVE, reset=True),
        Fault(FaultKind.STALL, after=100_000, seconds=0.3),
        Fault(FaultKind.MORE_BYTES, length=10),
        Fault(FaultKind.WRONG_LENGTH, length=-10),
        Fault(FaultKind.WRONG_RANGE),
        Fault(FaultKind.IGNORE_RANGE),
        Fault(FaultKind.NO_LENGTH),
        Fault(FaultKind.GZIP),
        Fault(FaultKind.LOGIN_PAGE, on=On.BYTES),
        Fault(FaultKind.SERVER_ERROR, on=On.BYTES, times=2),
        Fault(FaultKind.SERVER_ERROR, on=On.RESOLVE, status=500, times=2, value="0"),
        Fault(FaultKind.RATE_LIMITED, on=On.BYTES, times=2, value="0"),
        Fault(FaultKind.RATE_LIMITED, on=On.RESOLVE, seconds=1),
    ],
    ids=lambda one: f"{one.kind}-{one.on or 'bytes'}-{'reset' if one.reset else one.after}",
)
def test_B26_B27_B29_B30_a_hub_in_trouble_for_a_while_only_costs_time(
    here: Home, hub: FakeHub, stocked: Mapping[str, Mapping[str, Content]], fault: Fault
) -> None:
    hub.faults.add(fault)
    receipt = here.pull(ONE)
    assert hub.faults.left == ()
    here.proven(receipt, stocked[ONE])
    here.settled()


def test_B26_B31_another_file_under_the_same_name_is_refused_and_not_mixed(either: Home, hub: FakeHub) -> None:
    hub.faults.add(Fault(FaultKind.CHANGED_ETAG, path=ONE_FILE, on=On.RESOLVE, times=None))
    either.refused(ONE, code=6, says="another hash than it was listed with")
    either.nothing_installed()
    hub.faults.clear()
    either.pull(ONE)
    either.settled()


def test_B31_a_new_commit_in_mid_pull_changes_nothing(either: Home, hub: FakeHub, model: Path, tmp_path: Path) -> None:
    commit = hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(Fault(FaultKind.SLOW, rate=4 * MIB, times=None))
    with either.pulling(ONE) as process:
        either.until_noted(2 * MIB)
        newer = hub.add(ONE, {ONE_FILE: a_model(tmp_path / "newer", size=SIZE, seed=99)})
        hub.faults.clear()
        code, rows, said = ended(process)
    assert code == 0, said
    [receipt] = either.receipts()
    assert receipt["revision"] == rows[-1]["revision"] == commit != newer
    assert either.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
    assert either.thorp("pull", ONE).stdout.startswith("Here already")  # pinned until somebody asks for what is new
    assert either.pull(ONE, "--revision", "main")["revision"] == newer
    either.settled()


def test_B30_a_hub_that_wants_patience_for_long_says_until_when(either: Home, hub: FakeHub) -> None:
    for on in (On.API, On.RESOLVE):
        hub.faults.add(Fault(FaultKind.RATE_LIMITED, on=on, seconds=1800, times=None))
        said = either.refused(ONE, code=75, says="30 min")
        assert "wants fewer requests" in said
        either.nothing_installed()
        hub.faults.clear()
    either.pull(ONE)


def test_B30_what_is_here_can_be_used_whatever_the_hub_does(either: Home, hub: FakeHub) -> None:
    either.pull(ONE)
    for kind in (FaultKind.SERVER_ERROR, FaultKind.LOGIN_PAGE, FaultKind.RATE_LIMITED, FaultKind.DROP):
        hub.faults.add(Fault(kind, times=None))
    assert either.thorp("pull", ONE).returncode == 0
    assert either.thorp("pull", "tiny:1b:base:q4_k_m").returncode == 0
    assert either.thorp("models", "verify", ONE).returncode == 0


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault(FaultKind.LOGIN_PAGE, times=None), 5, "Does this network want a login first?"),
        (Fault(FaultKind.SERVER_ERROR, times=None), 5, "in trouble (HTTP 503)"),
        (Fault(FaultKind.DROP, times=None), 5, "cannot be reached"),
        (Fault(FaultKind.REDIRECT, on=On.API, times=None, value="http://192.168.0.1/x"), 4, "192.168.0.1"),
    ],
    ids=lambda one: str(one.kind) if isinstance(one, Fault) else "",
)
def test_B22_B29_B30_a_hub_in_trouble_from_the_start_is_told(
    either: Home, hub: FakeHub, fault: Fault, code: int, says: str
) -> None:
    hub.faults.add(fault)
    either.refused(ONE, code=code, says=says)
    either.nothing_installed()
    assert either.records() == []


# Refs.


@pytest.mark.parametrize(
    ("ref", "code", "says"),
    [
        ("org/No-Such", 3, "`org/No-Such`"),
        (f"{ONE}@no-such", 3, "no revision `no-such`"),
        (f"{ONE}@{'0' * 40}", 3, "no revision"),
        (f"{MANY}:Q4_K_L", 3, "Did you mean `q4_k_m`"),
        (f"{MANY}/mistral-7b.gguf", 3, MANY_FILE.format("Q2_K")),
        ("no such words anywhere", 3, "has no GGUF model called"),
        ("nobody:7b:base:q4_k_m", 3, "No repository"),
        ("http://huggingface.co/org/repo", 2, "no address of the hub"),
        ("https://huggingface.co@192.168.0.1/org/repo", 2, "no address of the hub"),
        ("https://169.254.169.254/org/repo", 2, "no address of the hub"),
        ("http://a@b\\@c", 2, "names no model"),
        ("org/../repo", 2, "no name of a repository"),
        ("./here.gguf", 2, "thorp models import"),
        ("a::c:", 2, "no model id"),
        (f"{ONE}/../../etc/passwd.gguf", 2, "no path of a file"),
    ],
)
def test_B21_B23_a_ref_that_names_nothing_is_told_in_its_own_words(
    here: Home, hub: FakeHub, ref: str, code: int, says: str
) -> None:
    here.refused(ref, code=code, says=says)
    here.nothing_installed()
    assert here.records() == []
    if code == 2:
        assert hub.log == ()


def test_a_ref_is_refused_alike_by_a_node(here: Home, hub: FakeHub) -> None:
    with running_node(here.at, **here.given) as node:
        for ref, code in ((f"{MANY}:Q4_K_L", 3), ("org/No-Such", 3), ("org/../repo", 2)):
            assert here.thorp("pull", ref).returncode == code
        answer = node.owner().request("POST", "/api/v1/models/download", {"ref": f"{MANY}:Q4_K_L"})
        assert (answer.status, answer.data["error"]["code"]) == (404, "models.no_such_quant")


# Files.


def test_D49_a_set_of_shards_that_is_not_whole_is_not_begun(either: Home, hub: FakeHub) -> None:
    hub.add(PARTS, {PARTS_FILES[1]: None})
    either.refused(PARTS, code=3, says="number 2 is missing")
    either.nothing_installed()
    assert not any(one.file for one in hub.log)


def hostile() -> bytes:
    """It begins like a model, and says that it has more tensors than there are atoms."""
    return b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16 + bytes(20_000)


def test_D47_a_hostile_file_with_a_right_hash_never_gets_into_the_library(either: Home, hub: FakeHub) -> None:
    hub.add("evil/Bad-1B-GGUF", {"Bad-1B-Q4_K_M.gguf": hostile()})
    said = either.refused("evil/Bad-1B-GGUF", code=6, says="Bad-1B-Q4_K_M.gguf")
    assert "Traceback" not in said
    either.nothing_installed()
    assert either.own("partial") == []
    assert [one.name for one in either.own("quarantine")] == [hashlib.sha256(hostile()).hexdigest()]
    assert json.loads(either.thorp("models", "--json").stdout)["models"] == []


def test_a_repository_of_pickles_is_refused(either: Home, hub: FakeHub) -> None:
    hub.add("old/Model-7B", {"pytorch_model.bin": b"\x80\x04" * 10_000, "config.json": b"{}"})
    either.refused("old/Model-7B", code=6, says="pickles")
    either.nothing_installed()
    assert not any(one.file for one in hub.log)


def test_B32_a_hub_that_lies_about_size_or_hash_is_refused(here: Home, hub: FakeHub, model: Path) -> None:
    true = content_of(model)
    for lie in (true.claiming(sha256="a" * 64), true.claiming(size=true.size - 1)):
        hub.add(ONE, {ONE_FILE: lie})
        told = here.thorp("pull", ONE, "--json")
        assert told.returncode == 6, told
        here.nothing_installed()
    hub.add(ONE, {ONE_FILE: true})
    here.pull(ONE)
    here.settled()


def test_B33_two_names_that_some_disks_cannot_tell_apart_are_refused(here: Home, hub: FakeHub, model: Path) -> None:
    hub.add("org/Twice-1B-GGUF", {"Twice-1B-Q4_K_M.gguf": model, "twice-1b-q4_k_m.gguf": model})
    here.refused("org/Twice-1B-GGUF", code=6, says="which some file systems take for one")
    here.nothing_installed()


# No network.


def test_a_hub_that_is_not_there_is_told(here: Home, hub: FakeHub) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    here.refused(ONE, code=5, says="The hub cannot be reached", HF_ENDPOINT=nowhere)
    here.nothing_installed()
    here.pull(ONE)
    hub.forget()
    assert here.thorp("pull", ONE, HF_ENDPOINT=nowhere).returncode == 0
    assert here.thorp("pull", "tiny", "--yes", HF_ENDPOINT=nowhere).returncode == 0  # the library knows one
    assert hub.log == ()


def test_who_is_told_to_stay_offline_asks_nobody(here: Home, hub: FakeHub) -> None:
    here.refused(ONE, code=5, says="HF_HUB_OFFLINE", HF_HUB_OFFLINE="1")
    assert hub.log == ()
    here.pull(ONE)
    hub.forget()
    for ref in (ONE, "tiny:1b:base:q4_k_m", f"{ONE}:Q4_K_M"):
        assert here.thorp("pull", ref, HF_HUB_OFFLINE="1").returncode == 0
    with running_node(here.at, **here.given, HF_HUB_OFFLINE="1"):
        assert here.thorp("pull", ONE).returncode == 0
        here.refused(PARTS, code=5, says="HF_HUB_OFFLINE")
    assert hub.log == ()


def test_B30_a_hub_that_goes_away_in_the_middle_and_comes_back_is_waited_for(
    here: Home, hub: FakeHub, model: Path
) -> None:
    hub.add(ONE, {ONE_FILE: model})
    hub.faults.add(Fault(FaultKind.SLOW, rate=4 * MIB, times=None))
    with here.pulling(ONE) as process:
        here.until_noted(2 * MIB)
        hub.stop()
        until(lambda: any(one["note"] for one in here.records()), "it says what it waits for")
        hub.faults.clear()
        hub.start()
        code, _, said = ended(process)
    assert code == 0, said
    [receipt] = here.receipts()
    assert here.file(receipt, ONE_FILE).read_bytes() == model.read_bytes()
    here.settled()


def test_C35_a_pull_that_waits_can_be_left(here: Home, hub: FakeHub) -> None:
    hub.faults.add(Fault(FaultKind.RATE_LIMITED, on=On.RESOLVE, seconds=200, times=None))
    with here.pulling(ONE) as process:
        until(lambda: any("fewer requests" in one["note"] for one in here.records()), "it waits")
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130
    assert [one["state"] for one in here.records()] == ["paused"]
    here.nothing_installed()
    hub.faults.clear()
    here.pull(ONE)
    here.settled()
