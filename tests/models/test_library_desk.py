import asyncio
import threading
from collections.abc import Coroutine, Generator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.models.world import LARGE, MIB, REPO, SMALL, World, opened, stocked, tiny
from thorp.base.errors import ThorpError
from thorp.bus.dispatch import Order
from thorp.identity.principals import keyed, owner
from thorp.identity.scopes import EVERY_SCOPE
from thorp.models.aliases import NoSuchAliasError
from thorp.models.library import AmbiguousError, NoSuchModelError
from thorp.models.working import THREAD
from thorp.testing.hub import FakeHub
from thorp.wire.capability import Done

T = TypeVar("T")
SMALL_REF = f"{REPO}:q4_k_m"
SMALL_ID = "tiny:1b:base:q4_k_m"
READER = keyed("k", frozenset(EVERY_SCOPE))


def told(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


def blob_of(world: World, ref: str = SMALL_REF) -> Path:
    receipt = world.library.one(ref)
    return world.library.layout.file(receipt.repo, receipt.revision, receipt.files[0].path).resolve()


async def streamed(world: World, name: str, /, **given: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The frames of a call, and its answer."""
    frames: list[dict[str, Any]] = []
    async with aclosing(world.bus.stream(Order(name, owner(), given))) as items:
        async for item in items:
            if isinstance(item, Done):
                return frames, item.answer.model_dump(mode="json")
            frames.append(item.model_dump(mode="json"))
    raise AssertionError("no answer")


def test_a_model_is_listed_and_shown_as_its_receipt_has_it(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            assert (await world.ask("library.list"))["models"] == []
            await world.pulled(SMALL_REF)
            listed = await world.ask("library.list")
            assert listed["folder"] == str(tmp_path / "home/hub")
            (row,) = listed["models"]
            assert (row["model_id"], row["state"], row["reason"], row["source"]) == (SMALL_ID, "complete", "", "hub")
            shown = await world.ask("library.show", ref=SMALL_ID)
            assert {name: shown[name] for name in row if name in shown and name != "source"} == {
                name: row[name] for name in row if name in shown and name != "source"
            }
            (file,) = shown["files"]
            assert Path(file["at"]).read_bytes() == (tmp_path / SMALL).read_bytes()
            assert Path(shown["receipt"]).is_file()
            assert shown["fit"] in ("fits", "tight", "too big", None)

    told(story())


def test_where_things_lie_is_the_owners_business(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            for name, given in (("library.list", {}), ("library.show", {"ref": SMALL_REF})):
                assert str(tmp_path) not in str(await world.ask(name, READER, **given))
                assert str(tmp_path) in str(await world.ask(name, **given))

    told(story())


def test_what_lost_its_file_is_missing_and_says_why(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            blob_of(world).unlink()
            (row,) = (await world.ask("library.list"))["models"]
            assert row["state"] == "missing"
            assert row["reason"]
            shown = await world.ask("library.show", ref=SMALL_REF)
            assert (shown["state"], shown["files"][0]["at"]) == ("missing", None)

    told(story())


def test_a_ref_of_nothing_and_a_ref_of_several_are_told(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            await world.pulled(f"{REPO}:q8_0")
            for name in ("library.show", "library.remove", "library.repair", "library.verify"):
                with pytest.raises(NoSuchModelError) as nothing:
                    await world.ask(name, ref="org/other")
                assert nothing.value.exit_code == 3
                with pytest.raises(AmbiguousError) as several:
                    await world.ask(name, ref=REPO)
                assert (several.value.code, several.value.exit_code) == ("models.ambiguous", 8)
                refs = [one["ref"] for one in several.value.details["choices"]]
                assert [(await world.ask("library.show", ref=one))["quant"] for one in refs] == ["q4_k_m", "q8_0"]

    told(story())


def test_verifying_reads_every_byte_and_says_what_is_wrong(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            await world.pulled(f"{REPO}:q8_0")
            _, well = await streamed(world, "library.verify")
            assert (well["ok"], [one["ok"] for one in well["models"]]) == (True, [True, True])
            flip(blob_of(world), 300_000)
            _, ill = await streamed(world, "library.verify")
            assert (ill["ok"], [one["ok"] for one in ill["models"]]) == (False, [False, True])
            assert ill["models"][0]["files"] == [
                {"path": SMALL, "ok": False, "problem": ill["models"][0]["files"][0]["problem"], "bad_pieces": [0]}
            ]
            assert (await streamed(world, "library.verify", ref=f"{REPO}:q8_0"))[1]["ok"] is True

    told(story())


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_repairing_fetches_what_is_wrong_and_tells_that_something_changed(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            flip(blob_of(world), 300_000)
            world.changes.clear()
            _, answer = await streamed(world, "library.repair", ref=SMALL_REF)
            assert (answer["ok"], answer["fetched"]) == (True, MIB // 2)
            assert answer["files"][0]["ok"] is False
            assert world.library_told() == [("changed", (SMALL_ID,))]
            assert (await streamed(world, "library.verify"))[1]["ok"] is True
            assert (await streamed(world, "library.repair", ref=SMALL_REF))[1]["fetched"] == 0

    told(story())


def at_work() -> bool:
    return any(one.name.startswith(THREAD) for one in threading.enumerate())


def test_who_stops_listening_ends_the_work_behind_it(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(f"{REPO}:q8_0")
            items = world.bus.stream(Order("library.verify", owner(), {}))
            async with asyncio.timeout(60):
                task = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await items.aclose()
                while any(one.running for one in world.bus.entries) or at_work():
                    await asyncio.sleep(0.01)
            assert (await streamed(world, "library.verify"))[1]["ok"] is True

    told(story())


def test_removing_says_before_what_would_go(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            world.changes.clear()
            would = await world.ask("library.remove", ref=SMALL_REF, dry_run=True)
            assert (would["dry_run"], would["freed_bytes"]) == (True, MIB // 2)
            assert world.library.one(SMALL_REF)
            assert world.library_told() == []
            did = await world.ask("library.remove", ref=SMALL_REF)
            assert did == {**would, "dry_run": False}
            assert world.library.receipts() == ()
            assert not list((tmp_path / "home/hub").rglob("*.gguf"))
            assert world.library_told() == [("removed", (SMALL_ID,))]

    told(story())


def test_C41_pruning_takes_leftovers_and_no_model_unless_it_is_old(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            assert (await world.ask("library.prune"))["removed"] == []
            would = await world.ask("library.prune", older_than=0.0, dry_run=True)
            assert [one["what"] for one in would["removed"]] == [SMALL_ID]
            assert world.library.one(SMALL_REF)
            assert (await world.ask("library.prune", older_than=1000.0))["removed"] == []
            did = await world.ask("library.prune", older_than=0.0)
            assert (did["freed_bytes"], world.library.receipts()) == (MIB // 2, ())
            assert world.library_told()[-1] == ("removed", (SMALL_ID,))

    told(story())


def test_a_file_is_imported_where_it_lies(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            file = tiny(tmp_path, "Own-2B-Q8_0.gguf", MIB, seed=9)
            _, answer = await streamed(
                world, "library.import", path=str(file), name="me/Own-2B-GGUF", license="mit", copy=True
            )
            (imported,) = answer["imported"]
            assert imported["model_id"] == "own:2b:base:q8_0"
            assert imported["how"] in ("cloned", "linked", "copied")
            assert answer["skipped"] == []
            shown = await world.ask("library.show", ref=imported["ref"])
            assert (shown["source"]["kind"], shown["license"], shown["state"]) == ("import", "mit", "complete")
            assert world.library_told()[-1] == ("added", ("own:2b:base:q8_0",))
            again = (await streamed(world, "library.import", path=str(file), name="me/Own-2B-GGUF"))[1]
            assert again["imported"][0]["how"] == "present"

    told(story())


def test_what_cannot_be_imported_is_told(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            for path in (tmp_path / "nowhere", tmp_path / "home/config.toml"):
                with pytest.raises(ThorpError) as caught:
                    await world.ask("library.import", path=str(path))
                assert caught.value.exit_code in (2, 3, 6)
            assert world.library_told() == []

    told(story())


def test_an_alias_counts_wherever_a_ref_does_and_means_one_model(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            await world.pulled(f"{REPO}:q8_0")
            given = await world.ask("library.alias", name="fast", ref=SMALL_REF)
            assert (given["name"], given["model_id"]) == ("fast", SMALL_ID)
            assert (await world.ask("library.show", ref="fast"))["aliases"] == ["fast"]
            assert (await world.ask("model.pull", ref="FAST"))["model_id"] == SMALL_ID
            moved = await world.ask("library.alias", name="Fast", ref=f"{REPO}:q8_0")
            assert (await world.ask("library.show", ref="fast"))["model_id"] == moved["model_id"] != SMALL_ID
            assert (await world.ask("library.show", ref=SMALL_REF))["aliases"] == []
            gone = await world.ask("library.unalias", name="fast")
            assert gone == {"name": "fast", "model_id": None, "ref": None}
            with pytest.raises(NoSuchModelError):
                await world.ask("library.show", ref="fast")
            with pytest.raises(NoSuchAliasError):
                await world.ask("library.unalias", name="fast")

    told(story())


@pytest.mark.parametrize("name", ["a/b", "a:b", "..", "-x", "ü", "a b"])
def test_a_name_that_could_be_taken_for_something_else_is_no_alias(tmp_path: Path, hub: FakeHub, name: str) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            with pytest.raises(ThorpError) as caught:
                await world.ask("library.alias", name=name, ref=SMALL_REF)
            assert (caught.value.code, caught.value.exit_code) == ("models.bad_alias", 2)

    told(story())


@pytest.mark.parametrize("damage", ["gone", "garbage", "empty"])
def test_C45_without_its_index_the_library_is_what_the_receipts_say(tmp_path: Path, hub: FakeHub, damage: str) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            await world.ask("library.alias", name="fast", ref=SMALL_REF)
        for index in world.paths.data.glob("library.db*"):
            index.unlink()
            if damage != "gone" and index.suffix == ".db":
                index.write_bytes(b"no database at all " * 500 if damage == "garbage" else b"")
        async with opened(tmp_path, hub) as world:
            (row,) = (await world.ask("library.list"))["models"]
            assert (row["model_id"], row["aliases"]) == (SMALL_ID, ["fast"])
            assert (await world.ask("library.rescan")) == {"models": 1, "unreadable": []}

    told(story())


def test_a_receipt_that_cannot_be_read_is_told_and_hides_no_other(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(SMALL_REF)
            await world.pulled(f"{REPO}:q8_0")
            world.library.path(world.library.one(f"{REPO}:q8_0")).write_text("{")
            answer = await world.ask("library.rescan")
            assert (answer["models"], len(answer["unreadable"])) == (1, 1)
            listed = await world.ask("library.list")
            assert [one["model_id"] for one in listed["models"]] == [SMALL_ID]
            assert listed["unreadable"] == answer["unreadable"]
            assert (tmp_path / LARGE).exists()

    told(story())
