"""Transfers of one process, from a hub that can be told to stall."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.models.world import LARGE, MIB, REPO, SMALL, World, opened, stall, stocked, tiny
from thorp.base.errors import ThorpError
from thorp.models.records import State
from thorp.models.resolve import Ask
from thorp.models.transfer_errors import InTransferError, TransferEndedAlreadyError
from thorp.testing.hub import FakeHub
from thorp.testing.hub.faults import Fault, FaultKind, On

T = TypeVar("T")


def told(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


@pytest.fixture
def hub(tmp_path: Path):
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


def test_a_transfer_brings_a_model_and_says_how_far_it_is(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            row = await world.pulled(f"{REPO}:q8_0")
            assert (row["done"], row["total"], row["by_source"]) == (5 * MIB, 5 * MIB, {"hub": 5 * MIB})
            assert (row["rate"], row["eta"], row["note"], row["error"]) == (0, 0.0, "", None)
            await world.until(row["id"], lambda _: world.told()[-1].state == "done")
            states = [one.state for one in world.told()]
            assert states[0] == "queued"
            assert set(states[1:-1]) <= {"active", "verifying"}
            assert {one.here for one in world.told()[:-1]} == {True}
            assert world.library_told() == [("added", ("tiny:1b:base:q8_0",))]
            assert world.partials == []

    told(story())


def test_a_pause_keeps_what_is_here_and_resuming_fetches_none_of_it_again(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            paused = await world.ask("transfer.pause", id=transfer)
            assert (paused["state"], paused["rate"], paused["eta"], paused["here"]) == ("paused", 0, None, False)
            assert (await world.ask("transfer.pause", id=transfer))["state"] == "paused"
            assert world.partials
            resumed = await world.ask("transfer.resume", id=transfer)
            assert resumed["state"] != "paused"
            await world.ended(transfer)
        assert hub.bytes_sent(LARGE) <= 5 * MIB + MIB
        assert world.library.one(f"{REPO}:q8_0").size_bytes == 5 * MIB

    told(story())


def test_pausing_and_resuming_again_and_again_always_does_what_was_asked(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub, limit=1000) as world:
            transfer = (await world.ask("model.pull", ref=f"{REPO}:q8_0"))["transfer_id"]
            for _ in range(4):
                assert (await world.ask("transfer.pause", id=transfer))["state"] == "paused"
                assert (await world.ask("transfer.resume", id=transfer))["state"] in ("queued", "active")
                assert world.transfers.is_here(transfer)

    told(story())


@pytest.mark.parametrize("keeping", [False, True])
def test_cancelling_leaves_nothing_behind_unless_it_is_to_be_kept(tmp_path: Path, hub: FakeHub, keeping: bool) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            row = await world.ask("transfer.cancel", id=transfer, keep_partial=keeping)
            assert row["state"] == "cancelled"
            assert bool(world.partials) is keeping
            assert (await world.ask("transfer.cancel", id=transfer))["state"] == "cancelled"

    told(story())


def test_a_paused_transfer_is_cancelled_as_well_as_a_failed_one(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            await world.ask("transfer.pause", id=transfer)
            hub.faults.add(Fault(FaultKind.SERVER_ERROR, status=404, on=On.RESOLVE, times=None))
            hub.expire_links()
            await world.ask("transfer.resume", id=transfer)
            assert (await world.ended(transfer))["state"] == "failed"
            assert world.partials
            assert (await world.ask("transfer.cancel", id=transfer))["state"] == "cancelled"
            assert world.partials == []

    told(story())


def test_a_cancel_wins_over_a_pause(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            await asyncio.gather(world.transfers.pause(transfer), world.transfers.cancel(transfer))
            assert (await world.row(transfer))["state"] == "cancelled"
            assert world.partials == []

    told(story())


def test_a_cancel_takes_nothing_from_another_transfer_of_the_same_file(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            await world.ask("transfer.pause", id=transfer)
            plan = world.transfers._book.plan(transfer)
            other = await world.transfers.start(replace(plan, artifact="Another"), limit=1)
            await world.transfers.cancel(other.id)
            assert world.partials

    told(story())


def test_some_run_at_once_and_the_others_queue(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub, parallel=1) as world:
            stall(hub)
            first = await world.stalled()
            second = (await world.ask("model.pull", ref=f"{REPO}:q4_k_m"))["transfer_id"]
            assert second != first
            assert (await world.row(second))["state"] == "queued"
            assert hub.bytes_sent(SMALL) == 0
            await world.ask("transfer.cancel", id=first)
            assert (await world.ended(second))["state"] == "done"

    told(story())


def test_what_queues_can_be_paused_and_cancelled(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub, parallel=1) as world:
            stall(hub)
            await world.stalled()
            second = (await world.ask("model.pull", ref=f"{REPO}:q4_k_m"))["transfer_id"]
            assert (await world.ask("transfer.pause", id=second))["state"] == "paused"
            await world.ask("transfer.resume", id=second)
            assert (await world.ask("transfer.cancel", id=second))["state"] == "cancelled"
            assert hub.bytes_sent(SMALL) == 0

    told(story())


def test_as_many_as_may_run_at_once_leave_room_to_steer_them(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub, parallel=16, limit=1) as world:
            for number in range(12):
                hub.add(f"org/Many-{number}B-GGUF", {f"Many-{number}B-Q8_0.gguf": tiny(tmp_path, "m", MIB, number)})
            begun = [await world.ask("model.pull", ref=f"org/Many-{number}B-GGUF", yes=True) for number in range(12)]
            for one in begun:
                assert (await world.ask("transfer.pause", id=one["transfer_id"]))["state"] == "paused"

    told(story())


def test_a_second_start_of_the_same_artifact_joins_the_first(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            asked = [world.ask("model.pull", ref=f"{REPO}:q8_0") for _ in range(5)]
            begun = {one["transfer_id"] for one in await asyncio.gather(*asked)}
            assert len(begun) == 1
            (transfer,) = begun
            await world.until(transfer, lambda row: row["done"] >= 2 * MIB)
            await world.ask("transfer.pause", id=transfer)
            again = await world.ask("model.pull", ref=f"{REPO}:Q8_0")
            assert again["transfer_id"] == transfer
            assert (await world.ended(transfer))["state"] == "done"
            assert len(world.transfers.rows()) == 1

    told(story())


def test_who_asks_may_leave_in_the_middle_of_the_beginning(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            plan = world.models and await asyncio.to_thread(a_plan, world)
            turns = 0
            while not world.transfers.rows():
                turns += 1  # it leaves a little later each time, until the transfer is begun
                task = asyncio.ensure_future(world.transfers.start(plan))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert (await world.ended((await world.transfers.start(plan)).id))["state"] == "done"

    told(story())


def test_one_that_ended_since_it_was_read_is_told_as_it_ended(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> State:
        async with opened(tmp_path, hub) as world:
            transfer = (await world.pulled(f"{REPO}:q4_k_m"))["id"]
            await world.until(transfer, lambda _: not world.transfers.is_here(transfer))
            as_read_before = world.transfers.row(transfer).now(state=State.ACTIVE)
            return world.transfers.row(transfer, as_read_before).state

    assert told(story()) is State.DONE


def a_plan(world: World) -> Any:
    desk = next(one.unary.__self__ for one in world.models.offers if one.capability.name == "model.pull")
    return desk.resolver.meaning(Ask(f"{REPO}:q4_k_m")).plan()


def test_a_failure_is_kept_with_all_that_a_command_needs_to_end_as_it_would_have(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> dict[str, Any]:
        hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=SMALL, at=300_000, times=None))
        async with opened(tmp_path, hub) as world:
            begun = await world.ask("model.pull", ref=f"{REPO}:q4_k_m")
            await world.ended(begun["transfer_id"])
        async with opened(tmp_path, hub) as world:
            return await world.row(begun["transfer_id"])

    row = told(story())
    assert (row["state"], row["rate"], row["eta"]) == ("failed", 0, None)
    assert row["error"]["code"] == "models.wrong_bytes"
    assert "other bytes than its hash says" in row["error"]["message"]
    assert row["error"]["details"] == {"repo": REPO, "path": SMALL, "exit_code": 6}


def test_what_is_over_is_neither_paused_nor_limited(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            transfer = (await world.pulled(f"{REPO}:q4_k_m"))["id"]
            for name, given in (("pause", {}), ("cancel", {}), ("limit", {"rate": 1})):
                with pytest.raises(TransferEndedAlreadyError) as caught:
                    await world.ask(f"transfer.{name}", id=transfer, **given)
                assert caught.value.exit_code == 8
            assert (await world.ask("transfer.resume", id=transfer))["state"] == "done"
            assert world.library.one(f"{REPO}:q4_k_m")

    told(story())


@pytest.mark.parametrize("id_", ["../x", "0" * 26, "i" * 26, "x", "../../config.toml"])
@pytest.mark.parametrize("verb", ["show", "pause", "resume", "cancel", "limit"])
def test_an_id_of_nothing_is_told_whatever_it_looks_like(tmp_path: Path, hub: FakeHub, verb: str, id_: str) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            with pytest.raises(ThorpError) as caught:
                await world.ask(f"transfer.{verb}", id=id_, **({"rate": 1} if verb == "limit" else {}))
            assert (caught.value.code, caught.value.exit_code) == ("transfers.no_such", 3)

    told(story())


def test_limits_count_at_once_and_who_waits_for_one_can_be_paused(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            transfer = (await world.ask("model.pull", ref=f"{REPO}:q8_0", limit=1))["transfer_id"]
            carrier = world.transfers._carriers[transfer]
            assert carrier.own_limit.rate == 1
            await world.ask("transfer.limit_all", rate=2)
            assert world.transfers._all.rate == 2
            assert (await world.ask("transfer.list"))["limit"] == 2
            assert (await world.ask("transfer.pause", id=transfer))["state"] == "paused"
            assert (await world.ask("transfer.limit", id=transfer, rate=3))["limit"] == 3
            await world.ask("transfer.resume", id=transfer)
            assert world.transfers._carriers[transfer].own_limit.rate == 3
            await world.ask("transfer.limit", id=transfer, rate=0)  # from now on nobody waits any more
            await world.ask("transfer.limit_all", rate=0)
            assert (await world.ended(transfer))["state"] == "done"

    told(story())


def test_C40_what_is_on_its_way_is_not_removed(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(f"{REPO}:q8_0")
            receipt = world.library.one(f"{REPO}:q8_0")
            world.library.layout.file(REPO, receipt.revision, LARGE).resolve().unlink()
            stall(hub)
            transfer = await world.stalled()
            with pytest.raises(InTransferError, match=transfer) as caught:
                await world.ask("library.remove", ref=f"{REPO}:q8_0")
            assert caught.value.exit_code == 8
            await world.ask("transfer.cancel", id=transfer)
            await world.ask("library.remove", ref=f"{REPO}:q8_0")
            assert world.library.receipts() == ()

    told(story())


def test_the_end_of_a_node_leaves_transfers_for_its_next_start(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
        async with opened(tmp_path, hub) as world:
            left = world.transfers._book.get(transfer)
            assert (left.state, left.note) == (State.ACTIVE, "waits for the node")
            row = await world.row(transfer)
            assert (row["state"], row["here"]) == ("paused", False)
            looking = asyncio.ensure_future(world.transfers.take_over())
            assert (await world.ended(transfer))["state"] == "done"
            looking.cancel()
        assert hub.bytes_sent(LARGE) <= 6 * MIB

    told(story())


def test_the_end_of_a_command_pauses_what_it_carried_and_nobody_goes_on_by_himself(
    tmp_path: Path, hub: FakeHub
) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub, parallel=1) as world:
            stall(hub)
            transfer = await world.stalled()
            queued = (await world.ask("model.pull", ref=f"{REPO}:q4_k_m"))["transfer_id"]
            await world.transfers.close(pausing=True)
        async with opened(tmp_path, hub) as world:
            assert [one.state for one in world.transfers.rows()] == [State.PAUSED, State.PAUSED]
            assert not await world.transfers._carry(transfer, frozenset({State.ACTIVE, State.QUEUED}))
            assert (await world.row(queued))["state"] == "paused"

    told(story())


def test_without_its_plan_a_transfer_fails_and_can_be_cancelled(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            await world.ask("transfer.pause", id=transfer)
            (world.paths.data / "transfers" / f"{transfer}.plan").write_text("{")
            assert world.transfers.live_partials() == frozenset()
            await world.ask("transfer.resume", id=transfer)
            row = await world.ended(transfer)
            assert row["error"]["code"] == "transfers.bad_record"
            assert (await world.ask("transfer.cancel", id=transfer))["state"] == "cancelled"

    told(story())


def test_the_partials_of_what_is_not_over_are_known(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            stall(hub)
            transfer = await world.stalled()
            await world.ask("transfer.pause", id=transfer)
            assert {(repo, digest.hex()) for repo, digest in world.transfers.live_partials()} == {
                (REPO, one.name) for one in world.partials
            }
            removed = (await world.ask("library.prune"))["removed"]
            assert [one["what"] for one in removed if REPO in one["ref"]] == []
            assert world.partials
            await world.ask("transfer.cancel", id=transfer)
            assert world.transfers.live_partials() == frozenset()

    told(story())


def test_a_fault_of_ours_fails_the_transfer_and_does_not_begin_again(
    tmp_path: Path, hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            transfer = await stalled_then_paused(world, hub)
            tools = world.transfers._tools
            world.transfers._tools = replace(tools, puller=replace(tools.puller, sources=lambda: 1 / 0))
            await world.ask("transfer.resume", id=transfer)
            row = await world.ended(transfer)
            assert (row["state"], row["error"]["code"], row["here"]) == ("failed", "internal", False)
            assert "ZeroDivision" not in row["error"]["message"]

    told(story())
    assert "ZeroDivisionError" in caplog.text


async def stalled_then_paused(world: World, hub: FakeHub) -> str:
    stall(hub)
    transfer = await world.stalled()
    await world.ask("transfer.pause", id=transfer)
    return transfer
