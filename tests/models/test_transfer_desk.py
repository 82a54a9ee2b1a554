import asyncio
from pathlib import Path

import pytest

from tests.models.test_records import a_record
from tests.models.world import REPO, SMALL, opened, stall, stocked
from thorp.bus.errors import SchemaMismatchError
from thorp.models.records import State
from thorp.models.transfer_desk import transfer_row
from thorp.testing.hub import FakeHub
from thorp.testing.hub.faults import Fault, FaultKind


def test_a_row_says_all_that_a_record_knows() -> None:
    error = {"code": "models.no_room", "message": "No room.", "details": {"exit_code": 7, "free": 1}}
    record = a_record(State.FAILED, by_source={"hub": 3, "lan": 4}, error=error, note="n", limit=9, rate=1, eta=2.5)
    row = transfer_row(record, here=True)

    assert row.model_dump(exclude={"here", "state", "error"}) == {
        name: getattr(record, name) for name in type(row).model_fields if name not in ("here", "state", "error")
    }
    assert (row.here, row.state, row.error and row.error.model_dump()) == (True, "failed", error)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_word(state: State) -> None:
    assert transfer_row(a_record(state), here=False).state == state.value


def test_transfers_are_listed_newest_first_with_the_common_limit(tmp_path: Path) -> None:
    async def story() -> None:
        with FakeHub() as hub:
            stocked(hub, tmp_path)
            async with opened(tmp_path, hub, limit=10**9) as world:
                first = await world.pulled(f"{REPO}:q4_k_m")
                stall(hub)
                second = await world.stalled()
                listed = await world.ask("transfer.list")
                assert [one["id"] for one in listed["transfers"]] == [second, first["id"]]
                assert [one["here"] for one in listed["transfers"]] == [True, False]
                assert listed["limit"] == 10**9

    asyncio.run(story())


def test_a_record_that_is_broken_hides_no_other(tmp_path: Path) -> None:
    async def story() -> None:
        with FakeHub() as hub:
            stocked(hub, tmp_path)
            async with opened(tmp_path, hub) as world:
                await world.pulled(f"{REPO}:q4_k_m")
                folder = world.paths.data / "transfers"
                (folder / f"{'0' * 26}.json").write_text('{"id": "')
                (folder / f"{'1' * 26}.json").mkdir()
                assert len((await world.ask("transfer.list"))["transfers"]) == 1

    asyncio.run(story())


def test_a_failure_of_a_pull_is_shown_with_its_exit_code(tmp_path: Path) -> None:
    async def story() -> None:
        with FakeHub() as hub:
            stocked(hub, tmp_path)
            hub.faults.add(Fault(FaultKind.WRONG_BYTES, path=SMALL, at=300_000, times=None))
            async with opened(tmp_path, hub) as world:
                begun = await world.ask("model.pull", ref=f"{REPO}:q4_k_m")
                row = await world.ended(begun["transfer_id"])
                assert (row["state"], row["error"]["details"]["exit_code"]) == ("failed", 6)

    asyncio.run(story())


@pytest.mark.parametrize("given", [{}, {"id": ""}, {"id": "x" * 65}, {"id": 5}, {"id": "x", "more": 1}])
@pytest.mark.parametrize("verb", ["show", "pause", "resume", "cancel"])
def test_what_names_no_transfer_is_refused(tmp_path: Path, verb: str, given: dict[str, object]) -> None:
    async def story() -> None:
        async with opened(tmp_path, FakeHub(port=1)) as world:
            with pytest.raises(SchemaMismatchError):
                await world.ask(f"transfer.{verb}", **given)

    asyncio.run(story())


@pytest.mark.parametrize("rate", [-1, 10**12 + 1, 1.5, "fast", None, True])
def test_a_rate_is_a_whole_number_of_bytes(tmp_path: Path, rate: object) -> None:
    async def story() -> None:
        async with opened(tmp_path, FakeHub(port=1)) as world:
            with pytest.raises(SchemaMismatchError, match="rate"):
                await world.ask("transfer.limit_all", rate=rate)
            with pytest.raises(SchemaMismatchError, match="rate"):
                await world.ask("transfer.limit", id="0" * 26, rate=rate)

    asyncio.run(story())
