"""Transfers between neighbours are seen and steered like all others, and nobody gets what its owner keeps back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.lan_stock import (
    PIECE,
    SWARM_PORT,
    Stocked,
    begin,
    hits,
    noted,
    sees,
    sent,
    settings,
    slowed,
    steer,
    stocked,
    transfer,
    until_came,
    until_done,
    until_noted,
)
from tests.e2e.lan_village import Row, household
from tests.e2e.pulls import MIB, a_model
from thorp.base.clock import SystemClock
from thorp.testing.machines import VillageNode
from thorp.testing.process import until
from thorp.testing.village import Village

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "ss")]

SLOW: Final = "80mbit"
A_LITTLE: Final = 2 * MIB  # heads of packets, lists of models, announcements
RATE: Final = MIB  # bytes a second
SLOWLY: Final = 80  # MiB that nobody waits for at that rate
GUST: Final = 8 * MIB  # what may come at once under such a limit, and lie in the buffers of a few lines


@pytest.fixture(scope="module")
def founded() -> Iterator[Village]:
    with household(("a", "b")) as village:
        yield village


@pytest.fixture
def village(founded: Village) -> Iterator[Village]:
    """The same one for all; whatever a test blocks or sets is as before behind it."""
    yield founded
    founded.unblock()
    founded.restore_hub()
    settings(founded.node("a"), sharing_household=True, swarm_upload=0)
    settings(founded.node("b"), transfers_limit=0)


def shared(village: Village, name: str, mib: int) -> tuple[VillageNode, VillageNode, Stocked]:
    """A model that `b` can have from `a`, and from nobody else."""
    a, b = village.node("a"), village.node("b")
    model = stocked(village, name, mib, "a")
    sees(b, model)
    village.hub().stop()
    return a, b, model


def lines(node: VillageNode) -> list[str]:
    """Connections of a swarm that stand at this machine."""
    told = node.namespace.do(
        "ss", "-Htn", "state", "established", f"( sport = :{SWARM_PORT} or dport = :{SWARM_PORT} )"
    )
    return told.splitlines()


def test_a_transfer_is_drawn_piece_by_piece_while_it_comes_and_afterwards(village: Village) -> None:
    a, b, model = shared(village, "Draw", 48)
    with slowed(a, SLOW):
        number = begin(b, model)
        row = until_noted(b, number, PIECE)
        assert (len(row["pieces"]), set(row["pieces"])) == (3, {"l", "."})
        assert row["by_source"]["lan"] == row["pieces"].count("l") * PIECE
        assert row["rate"] > 0
        until_done(b, number)
    [listed] = [one for one in b.told("transfers")["transfers"] if one["id"] == number]
    assert (listed["pieces"], listed["by_source"]) == ("lll", {"lan": model.size})
    assert model.is_whole_at(b)


def held(a: VillageNode, b: VillageNode, ref: str, free: Callable[[str], object], **how: object) -> Row:
    """No more comes than the limit lets through; without one all of it does, which would take longer than one waits."""
    clock = SystemClock()
    begun, before = clock.monotonic(), sent(a)
    number = begin(b, ref, **how)
    until_came(b, number, 3 * RATE)
    came = sent(a) - before
    assert came <= RATE * (clock.monotonic() - begun) + GUST + A_LITTLE
    free(number)
    return until_done(b, number)


def test_a_limit_of_a_transfer_holds_for_the_swarm(village: Village) -> None:
    a, b, model = shared(village, "Own", SLOWLY)
    client = b.process.owner()
    held(a, b, model.ref, lambda one: client.request("PUT", f"/api/v1/transfers/{one}/limit", {"rate": 0}), limit=RATE)
    assert model.is_whole_at(b)


def test_the_limit_of_all_transfers_holds_for_the_swarm(village: Village) -> None:
    a, b, model = shared(village, "All", SLOWLY)
    settings(b, transfers_limit=RATE)
    held(a, b, model.ref, lambda _: settings(b, transfers_limit=0))
    assert model.is_whole_at(b)


def test_limits_hold_for_files_of_neighbours_that_go_by_no_torrent(village: Village, tmp_path: Path) -> None:
    a, b = village.node("a"), village.node("b")
    file = a_model(tmp_path, "Hand-1B-Q4_K_M.gguf", size=SLOWLY * MIB, seed=5)
    a.told("models", "import", str(file), "--name", "own/Hand-1B-GGUF", "--license", "mit")
    until(lambda: hits(b, "own/Hand"), "the model is seen next door")
    settings(b, transfers_limit=RATE)
    row = held(a, b, "own/Hand-1B-GGUF", lambda _: settings(b, transfers_limit=0))
    assert row["by_source"] == {"lan": SLOWLY * MIB}
    assert row["pieces"] == "l" * (SLOWLY * MIB // PIECE)


def test_a_neighbour_gives_no_faster_than_its_owner_wants(village: Village) -> None:
    a, b, model = shared(village, "Upload", SLOWLY)
    settings(a, swarm_upload=RATE)
    held(a, b, model.ref, lambda _: settings(a, swarm_upload=0))
    assert model.is_whole_at(b)


def test_a_pause_cuts_the_swarm_and_goes_on_with_what_is_here(village: Village) -> None:
    a, b, model = shared(village, "Pause", 64)
    with slowed(a, SLOW):
        number = begin(b, model)
        until_noted(b, number, PIECE)
        assert steer(b, number, "pause")["state"] == "paused"
        until(lambda: not lines(b), "b has left the swarm")
        kept, before = noted(b), sent(a)
        assert transfer(b, number)["state"] == "paused"
        assert kept >= PIECE
        steer(b, number, "resume")
    until_done(b, number)
    assert sent(a) - before <= 1.1 * (model.size - kept) + A_LITTLE
    assert model.is_whole_at(b)


def test_a_cancelled_transfer_leaves_nothing_and_can_begin_anew(village: Village) -> None:
    a, b, model = shared(village, "Stop", 48)
    with slowed(a, SLOW):
        number = begin(b, model)
        until_noted(b, number, PIECE)
        assert b.process.owner().request("DELETE", f"/api/v1/transfers/{number}").data["state"] == "cancelled"
        until(lambda: not lines(b), "b has left the swarm")
    assert (noted(b), list(b.home.glob("hub/models--*Stop*"))) == (0, [])
    until_done(b, begin(b, model))
    assert model.is_whole_at(b)


def test_sharing_is_turned_off_in_the_middle_and_on_again(village: Village) -> None:
    a, b, model = shared(village, "Mine", 64)
    with slowed(a, SLOW):
        number = begin(b, model)
        until_noted(b, number, PIECE)
        settings(a, sharing_household=False)
        until(lambda: not lines(a), "nobody is in a swarm with a")
        until(lambda: hits(b, "org") == [], "nothing is listed any more")
        settings(a, sharing_household=True)
    until_done(b, number)
    assert model.is_whole_at(b)


def test_one_model_is_kept_back_in_the_middle_and_the_others_are_not(village: Village) -> None:
    a, b, model = shared(village, "Keep", 48)
    with slowed(a, SLOW):
        number = begin(b, model)
        until_noted(b, number, PIECE)
        a.told("unshare", model.ref)
        assert lines(a) == []  # at once, and not at some time
        before = sent(a)
        until(lambda: not hits(b, model.repo), "it is not listed any more")
        assert hits(b, "Tiny")
        until(lambda: transfer(b, number)["note"], "the transfer says that it waits")
        assert sent(a) - before <= A_LITTLE
        a.told("share", model.ref)
    until_done(b, number)
    assert model.is_whole_at(b)
