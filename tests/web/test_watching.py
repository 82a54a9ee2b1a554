"""Streams of changes: a snapshot or what was missed, then what is wanted and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from thorp.identity.principals import keyed, owner
from thorp.identity.scopes import Scope
from thorp.testing.web import WebWorld
from thorp.web.sse import HEARTBEAT
from thorp.web.watching import Watcher, last_seen, watch
from thorp.wire.capability import Nothing
from thorp.wire.changes import Change, KeysChanged, LibraryChanged, NodeClaimed, NodeStopping
from thorp.wire.model import Message


def asked(last: str | None) -> Request:
    headers = [] if last is None else [(b"last-event-id", last.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("header", "number"),
    [(None, None), ("", None), ("boot-7", 7), ("boot-\u0667", None), ("a-boot-7", None), ("boot-" + "9" * 19, None)],
)
def test_only_an_id_of_this_start_counts(header: str | None, number: int | None) -> None:
    assert last_seen(asked(header), "boot") == number


async def snapshot() -> Message:
    return Nothing()


def watching(world: WebWorld, last: int | None = None, wanted: type[Change] = Change) -> AsyncGenerator[bytes, None]:
    return watch(world.doors(), last, snapshot, Watcher(owner(), wanted))


def parsed(chunk: bytes) -> list[tuple[str, str | None, Any]]:
    found: list[tuple[str, str | None, Any]] = []
    for block in chunk.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], fields.get("id"), orjson.loads(fields["data"])))
    return found


def test_a_snapshot_comes_first_and_nothing_is_lost_between_it_and_the_changes() -> None:
    async def story() -> None:
        world = WebWorld()
        world.announce(NodeClaimed())

        async def slow_snapshot() -> Message:
            world.announce(KeysChanged(id="meanwhile", what="created"))
            return Nothing()

        async with aclosing(watch(world.doors(), None, slow_snapshot, Watcher(owner()))) as events:
            assert parsed(await anext(events)) == [("snapshot", "boot-1", {})]
            ((kind, event_id, data),) = parsed(await anext(events))
            assert (kind, event_id, data["id"]) == ("change", "boot-2", "meanwhile")

    asyncio.run(story())


def test_only_what_is_wanted_is_told_with_the_ids_it_has_for_everybody() -> None:
    async def story() -> None:
        world = WebWorld()
        async with aclosing(watching(world, None, KeysChanged)) as events:
            await anext(events)
            world.announce(NodeClaimed())
            world.announce(KeysChanged(id="a", what="created"))
            world.announce(NodeClaimed())
            assert [(one, two) for one, two, _ in parsed(await anext(events))] == [("change", "boot-2")]

    asyncio.run(story())


def test_a_watcher_of_a_quiet_thing_on_a_busy_node_still_hears_a_heartbeat() -> None:
    async def story() -> None:
        world = WebWorld()
        async with aclosing(watching(world, None, KeysChanged)) as events:
            await anext(events)
            world.announce(NodeClaimed())
            assert await anext(events) == HEARTBEAT

    asyncio.run(story())


def test_a_key_is_told_only_what_its_scopes_are_about() -> None:
    change = LibraryChanged(what="added", model_ids=("a",))
    reads_models, reads_node = (Watcher(keyed("k", frozenset({one}))) for one in (Scope.MODELS_READ, Scope.NODE_READ))

    assert (reads_models.sees(change), reads_node.sees(change), Watcher(owner()).sees(change)) == (True, False, True)
    assert (reads_models.sees(NodeClaimed()), reads_node.sees(NodeClaimed())) == (False, True)


def test_who_comes_back_gets_what_was_missed_of_the_wanted_kind() -> None:
    async def story() -> None:
        world = WebWorld()
        for change in (NodeClaimed(), KeysChanged(id="a", what="created"), NodeClaimed()):
            world.announce(change)
        async with aclosing(watching(world, 0, KeysChanged)) as events:
            ((kind, event_id, data),) = parsed(await anext(events))
            assert (kind, event_id, data["id"]) == ("change", "boot-2", "a")

    asyncio.run(story())


def test_who_was_away_too_long_gets_a_snapshot() -> None:
    async def story() -> None:
        world = WebWorld()
        for _ in range(40):
            world.announce(NodeClaimed())
        async with aclosing(watching(world, 1)) as events:
            assert parsed(await anext(events)) == [("snapshot", "boot-40", {})]

    asyncio.run(story())


def test_the_end_of_the_node_ends_it_after_the_last_change() -> None:
    async def story() -> list[bytes]:
        world = WebWorld()
        events = watching(world)
        chunks = [await anext(events)]
        world.announce(NodeStopping(reason="enough"))
        world.changes.close()
        chunks += [one async for one in events]
        assert world.changes.listeners == 0
        return chunks

    assert [parsed(one)[0][0] for one in asyncio.run(story())] == ["snapshot", "change"]


def test_who_does_not_keep_up_is_told_and_let_go() -> None:
    async def story() -> list[bytes]:
        world = WebWorld()
        events = watching(world)
        await anext(events)
        for _ in range(20):
            world.announce(NodeClaimed())
        return [one async for one in events]

    (last,) = asyncio.run(story())
    assert parsed(last)[0][:2] == ("dropped", None)
