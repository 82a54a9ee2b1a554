"""The feature as a node runs it: a service that carries on, settings that count at once, changes that are told."""

import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour, receipt_of
from tests.models.world import LARGE, MIB, REPO, stall, stocked
from tests.wire.test_publication import said
from thorp.app.environment import Environment, HubVariables
from thorp.app.models import Ground, Told, outside_of
from thorp.app.paths import paths_of
from thorp.app.settings import Settings
from thorp.app.shelf import complete_here, library_here
from thorp.base.clock import SystemRandomness
from thorp.models.publish import magnets_of
from thorp.models.records import State
from thorp.swarm.engine import Engine
from thorp.swarm.profile import public
from thorp.swarm.settings import SwarmSettings
from thorp.testing.clock import FakeClock
from thorp.testing.hub import FakeHub
from thorp.testing.process import NodeProcess, running_node, start_node, until
from thorp.wire.changes import Change, LibraryChanged
from thorp.wire.publication import PublishedTorrent

STREAM = "/api/v1/transfers/stream"


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


def state_of(node: NodeProcess, transfer: str) -> str:
    return node.owner().request("GET", f"/api/v1/transfers/{transfer}").data["state"]


def pull(node: NodeProcess, ref: str) -> str:
    answer = node.owner().request("POST", "/api/v1/models/download", {"ref": ref})
    assert answer.status == 202
    return answer.data["transfer_id"]


def test_a_change_of_the_library_names_its_models() -> None:
    heard: list[Change] = []
    Told(heard.append).library("removed", ("a", "b"))

    assert heard == [LibraryChanged(what="removed", model_ids=("a", "b"))]


def test_a_model_is_shared_with_everybody_only_while_that_engine_runs(tmp_path: Path) -> None:
    """What the owner wants and what goes out are two things: its port may be taken."""

    async def kept(_rate: int) -> None:
        """Nobody asks for it here."""

    engine: Engine | None = None
    ground = Ground(
        paths=paths_of(Environment(home=tmp_path)),
        hub=HubVariables(),
        settings=lambda: Settings(swarm=SwarmSettings(public=True)),
        clock=FakeClock(),
        randomness=SystemRandomness(),
        announce=lambda _change: None,
        keep_limit=kept,
        public_engine=lambda: engine,
    )
    receipt = receipt_of(a_neighbour(tmp_path))
    path = receipt.files[0].path
    publication = said(torrents=(PublishedTorrent(path=path, recipe="public", infohash="c" * 40),))
    assert outside_of(ground, receipt, publication, seen=True).shared == "household"
    assert outside_of(ground, receipt, publication, seen=False).shared == "nobody"
    engine = Engine(public((), 0))
    there = outside_of(ground, receipt, publication, seen=True)
    assert (there.shared, there.links[path].magnet) == ("everybody", magnets_of(publication)[path])
    assert outside_of(ground, receipt, None, seen=True).shared == "household"


def test_a_node_pulls_tells_and_lists_as_a_command_without_it_would(tmp_path: Path, hub: FakeHub) -> None:
    home = tmp_path / "home"
    environment = Environment(home=home)
    with running_node(home, HF_ENDPOINT=hub.url) as node:
        watching = node.watch("GET", STREAM)
        first = watching.take()
        assert first is not None
        assert (first.event, first.data) == ("snapshot", {"transfers": [], "limit": 0})
        transfer = pull(node, f"{REPO}:Q8_0")
        while (row := watching.change("transfer.changed"))["state"] != "done":
            assert (row["id"], row["here"]) == (transfer, True)
        until(lambda: state_of(node, transfer) == "done", "the transfer is done")

        listed = node.owner().request("GET", "/api/v1/models").data
        assert listed == library_here(paths_of(environment), environment)
        again = node.owner().request("POST", "/api/v1/models/download", {"ref": f"{REPO}:q8_0"}).data
        assert again == complete_here(paths_of(environment), environment, f"{REPO}:q8_0", None, None)
        assert node.owner().request("POST", f"/api/v1/models/{REPO}:q8_0/verify").data["ok"] is True
        assert node.owner().request("GET", f"/api/v1/models/{REPO}/{LARGE}").data["quant"] == "q8_0"

        node.owner().request("PUT", "/api/v1/transfers/limit", {"rate": 12_345})
        assert node.owner().request("GET", "/api/v1/transfers").data["limit"] == 12_345
        assert node.owner().request("GET", "/api/v1/config/transfers.limit").data["value"] == 12_345


def test_C35_a_killed_node_goes_on_with_what_it_carried_and_fetches_nothing_twice(tmp_path: Path, hub: FakeHub) -> None:
    home = tmp_path / "home"
    stall(hub)
    node = start_node(home, HF_ENDPOINT=hub.url)
    try:
        transfer = pull(node, f"{REPO}:q8_0")
        until(lambda: done_of(node, transfer) >= 2 * MIB, "it is half there")
    finally:
        node.end(signal.SIGKILL)
    with running_node(home, HF_ENDPOINT=hub.url) as node:
        until(lambda: state_of(node, transfer) == State.DONE, "the next node goes on with it")
    assert hub.bytes_sent(LARGE) <= 6 * MIB


def done_of(node: NodeProcess, transfer: str) -> int:
    return node.owner().request("GET", f"/api/v1/transfers/{transfer}").data["done"]
