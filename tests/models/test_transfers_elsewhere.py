"""Transfers that another process of the same home carries, and those it left when it died."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.models.world import LARGE, MIB, REPO, World, opened, stall, stocked
from thorp.testing.hub import FakeHub
from thorp.testing.process import PATIENCE, environment_of

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
LARGE_REF = f"{REPO}:q8_0"


def told(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


class Other:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.out = process.stdout
        self.transfer = self.out.readline().strip()

    def ended(self) -> str:
        """The last word of it."""
        return self.out.read().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def other_process(top: Path, hub: FakeHub) -> Generator[Other]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.models.other", LARGE_REF],
        env=environment_of(top / "home", HF_ENDPOINT=hub.url),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Other(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


async def halfway(world: World, transfer: str) -> None:
    await world.until(transfer, lambda row: row["done"] >= 2 * MIB)


def test_what_another_process_carries_is_listed_and_follows_wishes(tmp_path: Path, hub: FakeHub) -> None:
    async def story(other: Other) -> None:
        async with opened(tmp_path, hub) as world:
            await halfway(world, other.transfer)
            row = await world.row(other.transfer)
            assert (row["here"], row["state"]) == (False, "active")
            joined = await world.ask("model.pull", ref=LARGE_REF)
            assert joined["transfer_id"] == other.transfer
            assert not world.transfers.is_here(other.transfer)
            assert (await world.ask("transfer.limit", id=other.transfer, rate=7))["limit"] == 7
            await world.until(other.transfer, lambda row: row["limit"] == 7)
            assert (await world.ask("transfer.pause", id=other.transfer))["state"] == "paused"
            assert other.ended() == "paused"

    stall(hub)
    with other_process(tmp_path, hub) as other:
        told(story(other))


def test_another_process_can_be_told_to_cancel(tmp_path: Path, hub: FakeHub) -> None:
    async def story(other: Other) -> None:
        async with opened(tmp_path, hub) as world:
            await halfway(world, other.transfer)
            assert (await world.ask("transfer.cancel", id=other.transfer))["state"] == "cancelled"
            assert other.ended() == "cancelled"
            assert world.partials == []

    stall(hub)
    with other_process(tmp_path, hub) as other:
        told(story(other))


def test_C39_what_a_killed_process_left_goes_on_here_and_nothing_is_fetched_twice(tmp_path: Path, hub: FakeHub) -> None:
    async def story(other: Other) -> None:
        async with opened(tmp_path, hub) as world:
            looking = asyncio.ensure_future(world.transfers.take_over())
            await halfway(world, other.transfer)
            other.kill()
            assert (await world.ended(other.transfer))["state"] == "done"
            looking.cancel()
            assert len(world.transfers.rows()) == 1
            assert hub.bytes_sent(LARGE) <= 6 * MIB
            assert world.told()[0].here

    stall(hub)
    with other_process(tmp_path, hub) as other:
        told(story(other))


def test_C39_without_a_node_the_same_pull_goes_on_with_what_a_killed_one_left(tmp_path: Path, hub: FakeHub) -> None:
    async def story(first: str) -> None:
        async with opened(tmp_path, hub) as world:
            row = await world.row(first)
            assert (row["state"], row["note"]) == ("paused", "its process ended; resume it")
            again = await world.ask("model.pull", ref=LARGE_REF)
            assert again["transfer_id"] == first
            assert (await world.ended(first))["state"] == "done"
            assert hub.bytes_sent(LARGE) <= 6 * MIB

    async def until_halfway() -> None:
        async with opened(tmp_path, hub) as world:
            await halfway(world, other.transfer)

    stall(hub)
    with other_process(tmp_path, hub) as other:
        told(until_halfway())
        other.kill()
    told(story(other.transfer))


def test_what_another_process_paused_is_not_gone_on_with_by_itself(tmp_path: Path, hub: FakeHub) -> None:
    async def story(other: Other) -> None:
        async with opened(tmp_path, hub) as world:
            looking = asyncio.ensure_future(world.transfers.take_over())
            await halfway(world, other.transfer)
            await world.ask("transfer.pause", id=other.transfer)
            assert other.ended() == "paused"
            told_so = len(world.told())
            while len(world.told()) == told_so:  # it was seen, and told, as it is
                await asyncio.sleep(0.05)
            assert world.told()[-1].state == "paused"
            assert not world.transfers.is_here(other.transfer)
            looking.cancel()

    stall(hub)
    with other_process(tmp_path, hub) as other:
        told(story(other))
