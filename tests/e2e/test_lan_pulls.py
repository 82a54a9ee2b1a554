"""Nodes of one household fetch models from each other, on a network where there may be nobody else to ask."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.lan_stock import HELLO, MESH_PORT, SWARM_PORT, begin, fetched, hits, sees, sent, stocked, until_done
from tests.e2e.lan_village import REF, household, join, meet, neighbours, pull, receipts, status, stock_hub
from tests.e2e.pulls import MIB, a_model
from thorp.base.clock import SystemClock
from thorp.testing.capture import Capture
from thorp.testing.library import a_library, an_artifact
from thorp.testing.machines import VillageNode
from thorp.testing.process import until
from thorp.testing.village import NO_BROADCAST, NO_MULTICAST, Village
from thorp.wire.announce import LARGEST, PORT

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump")]

MOST_FROM_ONE: Final = 1.7  # times its size, when two fetch a model together
HEADS: Final = 200  # bytes of each frame that say who speaks to whom, and how it begins
PRIVATE: Final = "own/Diary-1B-GGUF"
MODELS: Final = 500


def again(*nodes: VillageNode) -> None:
    """End and start nodes: what they knew of each other by calls is forgotten."""
    for node in nodes:
        node.stop()
    for node in nodes:
        node.start()


def quants(node: VillageNode, repo: str) -> set[str]:
    """The choices that somebody has who asks for a repository."""
    answer = node.process.owner().request("POST", "/api/v1/models/resolve", {"ref": repo})
    return {one["quant"] for one in answer.data.get("choices", ())}


def test_two_nodes_fetch_a_gigabyte_from_a_third_and_from_each_other(
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    with household(("a", "b", "c"), "1gbit") as village:
        a, b, c = (village.node(name) for name in "abc")
        stock_hub(village, 1, repo="org/Big-1B-GGUF", file="Big-1B-Q8_0.gguf")
        model = stocked(village, "Big", 1024, "a")
        pull(a, f"{model.repo}:q8_0")
        village.cut_hub()
        for node in (b, c):
            until(lambda node=node: quants(node, model.repo) == {"q4_k_m", "q8_0"}, "both choices are seen")
        before = {node.name: sent(node) for node in (a, b, c)}
        for node, number in [(node, begin(node, model)) for node in (b, c)]:
            row = until_done(node, number)
            assert row["by_source"] == {"lan": model.size}
            assert row["pieces"] == "l" * 64
        gave = {node.name: sent(node) - before[node.name] for node in (a, b, c)}
        record_testsuite_property("times its size that one neighbour sent to two", gave["a"] / model.size)
        assert gave["a"] <= MOST_FROM_ONE * model.size, gave
        assert gave["b"] + gave["c"] >= (2 - MOST_FROM_ONE) * model.size, gave
        assert model.is_whole_at(b)
        assert model.is_whole_at(c)


@pytest.fixture(scope="module")
def founded() -> Iterator[Village]:
    with household(("a", "b")) as village:
        yield village


@pytest.fixture
def village(founded: Village) -> Iterator[Village]:
    yield founded
    founded.unblock()
    founded.restore_hub()


def ports(capture: Capture, *nodes: VillageNode) -> set[int]:
    """At which ports of each other these nodes called over TCP."""
    here = {one.address for one in nodes}
    calls = [one for one in capture.seen if one.proto == "tcp" and {one.src, one.dst} <= here]
    return {min(one.sport, one.dport) for one in calls}


def test_an_imported_model_never_goes_by_torrent(village: Village, tmp_path: Path) -> None:
    a, b = village.node("a"), village.node("b")
    village.cut_hub()
    file = a_model(tmp_path, "Diary-1B-Q4_K_M.gguf", size=6 * MIB, seed=11)
    a.told("models", "import", str(file), "--name", PRIVATE, "--license", "mit")
    until(lambda: hits(b, PRIVATE), "the model is seen next door")
    with village.capture(snap=HEADS) as capture:
        assert fetched(b, PRIVATE)["by_source"] == {"lan": file.stat().st_size}
    [receipt] = [one for one in receipts(b) if one["repo"] == PRIVATE]
    assert [one.get("infohash") for one in receipt["files"]] == [None]
    assert ports(capture, a, b) == {MESH_PORT}
    assert not capture.holds(HELLO)
    assert not capture.holds(b"Diary")
    with village.capture(snap=HEADS) as another:  # so that this says something
        fetched(b, REF)
    assert ports(another, a, b) == {MESH_PORT, SWARM_PORT}


def test_without_multicast_broadcast_finds_the_neighbours(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Wide", 4, "a")
    village.cut_hub()
    village.block(NO_MULTICAST)
    again(a, b)
    meet((a, b))
    until(lambda: status(b)["heard"]["by"] == "broadcast", "b hears by broadcast")
    assert "multicast does not get through" in status(b)["heard"]["why"]
    assert neighbours(b)["a"]["by"] == "packet"
    sees(b, model)
    assert fetched(b, model.ref)["by_source"] == {"lan": model.size}


def test_without_either_the_hub_is_asked_and_the_status_says_why(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Deaf", 4, "a")
    village.block(NO_MULTICAST, NO_BROADCAST)
    again(a, b)
    until(lambda: "no member is heard" in status(b)["heard"]["why"], "b says why it hears nobody")
    told = status(b)
    assert (told["heard"]["by"], told["neighbours"], told["household"]["members"]) == ("none", [], 2)
    assert "no member is heard" in b.thorp("lan", "status").stdout
    assert fetched(b, model.ref)["by_source"] == {"hub": model.size}


def test_the_list_of_five_hundred_models_reaches_a_newcomer_in_small_packets(
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    with Village(("a", "b")) as village:
        a, b = village.node("a"), village.node("b")
        library = a_library(a.home)
        for number in range(MODELS):
            name = f"Model{number:03}-7B"
            files = {f"{name}-Q4_K_M.gguf": b"%d" % number * 100}
            an_artifact(library, f"org/{name}-GGUF", files, model_id=f"model{number:03}:7b:base:q4_k_m")
        with village.capture() as capture:
            a.start()
            b.start()
            join(a, b)
            clock = SystemClock()
            begun = clock.monotonic()
            until(lambda: len(hits(b, "Model")) == 100, "the list is here")
            found = [one["repo"] for hundred in range(5) for one in hits(b, f"Model{hundred}")]
            record_testsuite_property("seconds until a newcomer had the list of 500 models", clock.monotonic() - begun)
            assert len(set(found)) == MODELS
            until(lambda: neighbours(b)["a"]["models"] == MODELS, "a packet says how many")
        packets = capture.find(proto="udp", dport=PORT)
        assert {one.src for one in packets} == {a.address, b.address}
        assert max(one.size for one in packets) <= LARGEST
