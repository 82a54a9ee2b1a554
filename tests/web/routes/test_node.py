"""The node over REST, and the stream of its changes."""

import asyncio
from typing import Any

import orjson
import pytest

from thorp.identity.principals import owner
from thorp.testing.web import WebWorld
from thorp.wire.changes import KeysChanged, NodeStopping


def told(story: Any) -> Any:
    return asyncio.run(story)


def parsed(chunk: bytes) -> tuple[str, str, Any]:
    fields = dict(line.split(": ", 1) for line in chunk.decode().strip().split("\n"))
    return fields["event"], fields["id"], orjson.loads(fields["data"])


def test_the_status_is_the_nodes_report() -> None:
    async def story() -> Any:
        world = await WebWorld().opened()
        return (await world.ask("GET", "/api/v1/status", b"", owner())).json, world.feature.report()

    answered, report = told(story())
    assert answered == report.model_dump(mode="json")


def test_a_stream_begins_with_a_snapshot_and_goes_on_with_changes() -> None:
    async def story() -> Any:
        world = await WebWorld().opened()
        client = world.client(owner())
        asking = asyncio.create_task(client.ask("GET", "/api/v1/stream"))
        first = await client.chunks.get()
        world.announce(NodeStopping(reason="enough"))
        second = await client.chunks.get()
        world.changes.close()
        await asking
        return parsed(first), parsed(second)

    (name, first_id, snapshot), (change, second_id, data) = told(story())
    assert (name, change) == ("snapshot", "change")
    assert snapshot["node"]["name"] == "kitchen"
    assert data == {"kind": "node.stopping", "reason": "enough"}
    assert int(second_id.split("-")[1]) == int(first_id.split("-")[1]) + 1


def test_who_comes_back_gets_what_was_missed_and_no_snapshot() -> None:
    async def story() -> Any:
        world = await WebWorld().opened()
        seen = world.changes.last
        for name in ("a", "b"):
            world.announce(KeysChanged(id=name, what="created"))
        world.changes.close()
        heard = await world.client(owner(), Last_Event_ID=f"boot-{seen}").ask("GET", "/api/v1/stream")
        return [parsed(chunk) for chunk in heard.body.split(b"\n\n") if chunk]

    assert [(name, data["id"]) for name, _, data in told(story())] == [("change", "a"), ("change", "b")]


@pytest.mark.parametrize("last", ["other-3", "boot-999999", "nonsense", "boot-", "boot--1", "boot-" + "9" * 40])
def test_an_id_of_another_start_gets_a_snapshot(last: str) -> None:
    async def story() -> Any:
        world = await WebWorld().opened()
        world.changes.close()
        heard = await world.client(owner(), Last_Event_ID=last).ask("GET", "/api/v1/stream")
        return parsed(heard.body.split(b"\n\n")[0])

    assert told(story())[0] == "snapshot"


def test_a_slow_watcher_is_told_and_dropped() -> None:
    async def story() -> bytes:
        world = await WebWorld().opened()
        client = world.client(owner())
        asking = asyncio.create_task(client.ask("GET", "/api/v1/stream"))
        await client.chunks.get()
        for number in range(50):
            world.announce(KeysChanged(id=f"k{number}", what="created"))
        return (await asking).body

    assert told(story()).split(b"\n\n")[-2].startswith(b"event: dropped")


def test_a_watcher_that_leaves_is_forgotten() -> None:
    async def story() -> int:
        world = await WebWorld().opened()
        client = world.client(owner())
        asking = asyncio.create_task(client.ask("GET", "/api/v1/stream"))
        await client.chunks.get()
        assert world.changes.listeners == 1
        client.leave.set()
        await asking
        return world.changes.listeners

    assert told(story()) == 0


def test_shutdown_asks_the_node_to_stop() -> None:
    async def story() -> list[str]:
        world = await WebWorld().opened()
        heard = await world.ask("POST", "/api/v1/admin/shutdown", b"", owner())
        assert heard.json == {"stopping": True}
        return world.around.stop_reasons

    assert told(story()) == ["the owner asked for it"]
