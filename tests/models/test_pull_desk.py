import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.models.world import LARGE, MIB, REPO, SMALL, World, opened, stocked, tiny
from thorp.app.environment import HubVariables
from thorp.base.errors import ThorpError
from thorp.bus.errors import SchemaMismatchError
from thorp.identity.principals import keyed
from thorp.identity.scopes import Scope
from thorp.models.library import AmbiguousError
from thorp.models.records import State
from thorp.models.transfer_errors import TooManyTransfersError
from thorp.models.transfers import MOST_WAITING
from thorp.testing.hub import FakeHub

T = TypeVar("T")


def told(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


def test_a_search_tells_what_the_hub_says(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        hub.add("other/Tiny-2B-GGUF", {"Tiny-2B-Q8_0.gguf": b"x"}, downloads=50, likes=3, gated="auto", parameters=9)
        async with opened(tmp_path, hub) as world:
            found = await world.ask("hub.search", q="tiny", limit=5)
            assert found["hub"] == hub.url.removeprefix("http://")
            assert [one["repo"] for one in found["results"]] == ["other/Tiny-2B-GGUF", REPO]
            first = found["results"][0]
            assert (first["downloads"], first["likes"], first["gated"]) == (50, 3, True)
            assert len((await world.ask("hub.search", q="tiny", limit=1))["results"]) == 1
            assert (await world.ask("hub.search", q="nothing like it"))["results"] == []

    told(story())


@pytest.mark.parametrize("given", [{}, {"q": ""}, {"q": "x" * 201}, {"q": "x", "limit": 0}, {"q": "x", "limit": 101}])
def test_a_search_for_nothing_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    async def story() -> None:
        async with opened(tmp_path, FakeHub(port=1)) as world:
            with pytest.raises(SchemaMismatchError):
                await world.ask("hub.search", **given)

    told(story())


def test_resolving_lists_the_artifacts_of_a_repository_and_fetches_nothing(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            answer = await world.ask("model.resolve", ref=REPO)
            assert (answer["repo"], answer["license"], answer["gated"], answer["in_library"]) == (
                REPO,
                "mit",
                False,
                False,
            )
            assert answer["repos"] == []
            assert [(one["quant"], one["size_bytes"], one["files"]) for one in answer["choices"]] == [
                ("q4_k_m", MIB // 2, 1),
                ("q8_0", 5 * MIB, 1),
            ]
            assert [one["recommended"] for one in answer["choices"]].count(True) == 1
            assert {one["fit"] for one in answer["choices"]} <= {"fits", "tight", "too big", None}
            assert answer["free_bytes"] > 0
            assert hub.bytes_sent(SMALL) == hub.bytes_sent(LARGE) == 0
            assert world.transfers.rows() == ()

    told(story())


def test_each_choice_names_itself_and_no_other(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        commit = hub.add(
            REPO,
            {
                "more/Tiny-1B-Q8_0.gguf": tiny(tmp_path, "again", MIB, 2),
                "plain.gguf": tiny(tmp_path, "plain", MIB, 3),
            },
        )
        async with opened(tmp_path, hub) as world:
            for asked in (REPO, f"{REPO}@{commit}"):
                choices = (await world.ask("model.resolve", ref=asked))["choices"]
                assert len(choices) == 4
                for choice in choices:
                    again = await world.ask("model.resolve", ref=choice["ref"])
                    assert [one["model_id"] for one in again["choices"]] == [choice["model_id"]]
                    assert again["choices"][0]["size_bytes"] == choice["size_bytes"]
                    assert again["revision"] == commit

    told(story())


def test_a_query_resolves_to_repositories(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            answer = await world.ask("model.resolve", ref="tiny")
            assert ([one["repo"] for one in answer["repos"]], answer["choices"]) == ([REPO], [])
            assert (answer["repo"], answer["revision"]) == (None, None)

    told(story())


def test_what_is_here_resolves_without_the_hub(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(f"{REPO}:q4_k_m")
            hub.forget()
            answer = await world.ask("model.resolve", ref="tiny:1b:base:q4_k_m")
            assert (answer["in_library"], answer["repo"], answer["license"]) == (True, REPO, "mit")
            assert [(one["model_id"], one["recommended"]) for one in answer["choices"]] == [
                ("tiny:1b:base:q4_k_m", True)
            ]
            pulled = await world.ask("model.pull", ref=f"{REPO}:q4_k_m")
            assert (pulled["transfer_id"], pulled["state"], pulled["size_bytes"]) == (None, "done", MIB // 2)
            assert hub.log == ()

    told(story())


def test_several_artifacts_are_listed_and_none_is_picked(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> AmbiguousError:
        async with opened(tmp_path, hub) as world:
            with pytest.raises(AmbiguousError) as caught:
                await world.ask("model.pull", ref=REPO)
            assert world.transfers.rows() == ()
            return caught.value

    error = told(story())
    assert (error.code, error.exit_code) == ("models.ambiguous", 8)
    assert [one["ref"] for one in error.details["choices"]] == [f"{REPO}:q4_k_m", f"{REPO}:q8_0"]
    assert {"ref", "model_id", "quant", "size_bytes", "files", "fit", "recommended"} == set(error.details["choices"][0])
    assert "--yes" in error.message


def test_several_repositories_are_listed_and_none_is_picked(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> AmbiguousError:
        hub.add("other/Tiny-2B-GGUF", {"Tiny-2B-Q8_0.gguf": b"x"}, downloads=50)
        async with opened(tmp_path, hub) as world:
            with pytest.raises(AmbiguousError) as caught:
                await world.ask("model.pull", ref="tiny")
            return caught.value

    error = told(story())
    assert (error.code, error.exit_code) == ("models.ambiguous", 8)
    assert [one["repo"] for one in error.details["repos"]] == ["other/Tiny-2B-GGUF", REPO]


def test_whoever_does_not_want_to_be_asked_gets_the_recommended_one(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        hub.add("less/Tiny-1B-GGUF", {"Tiny-1B-Q4_K_M.gguf": b"x"}, downloads=1)
        async with opened(tmp_path, hub) as world:
            choices = (await world.ask("model.resolve", ref=REPO))["choices"]
            (recommended,) = [one["model_id"] for one in choices if one["recommended"]]
            for ref in ("tiny", REPO):
                answer = await world.ask("model.pull", ref=ref, yes=True, revision="main")
                assert (answer["model_id"], answer["repo"]) == (recommended, REPO)
                await world.ended(answer["transfer_id"])

    told(story())


def test_a_pull_says_what_it_began(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            answer = await world.ask("model.pull", ref=f"{REPO}@main", quant="Q4_K_M", limit=10**9)
            assert {name: answer[name] for name in ("ref", "model_id", "size_bytes", "license", "gated")} == {
                "ref": f"{REPO}@main",
                "model_id": "tiny:1b:base:q4_k_m",
                "size_bytes": MIB // 2,
                "license": "mit",
                "gated": False,
            }
            assert answer["state"] in ("queued", "active", "verifying", "done")
            assert (await world.ended(answer["transfer_id"]))["limit"] == 10**9

    told(story())


@pytest.mark.parametrize(
    ("given", "code", "exit_code"),
    [
        ({"ref": "org/nothing"}, "models.no_such_repo", 3),
        ({"ref": "nothing like it"}, "models.nothing_found", 3),
        ({"ref": "no:such:model:q4_0"}, "models.nothing_found", 3),
        ({"ref": f"{REPO}:q2_k"}, None, 3),
        ({"ref": f"{REPO}:q4_k_m", "revision": "nowhere"}, None, 3),
        ({"ref": f"{REPO}:q4_k_m", "from": "lan"}, "models.no_neighbours", 3),
        ({"ref": f"{REPO}:q4_k_m", "from": "swarm"}, "models.no_such_source", 3),
        ({"ref": "../../etc/passwd"}, "models.bad_ref", 2),
    ],
)
def test_what_cannot_be_had_is_told(
    tmp_path: Path, hub: FakeHub, given: dict[str, Any], code: str | None, exit_code: int
) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            with pytest.raises(ThorpError) as caught:
                await world.ask("model.pull", **given)
            assert caught.value.exit_code == exit_code
            assert code in (None, caught.value.code)
            assert world.transfers.rows() == ()

    told(story())


def test_offline_the_hub_is_not_asked_and_the_library_answers(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            await world.pulled(f"{REPO}:q4_k_m")
        hub.forget()
        world = World(world.paths, HubVariables(endpoint=hub.url, offline=True))
        for offer in world.models.offers:
            await world.bus.register(offer)
        assert (await world.ask("model.pull", ref=f"{REPO}:q4_k_m"))["state"] == "done"
        assert (await world.ask("model.pull", ref=REPO))["state"] == "done"
        for name, given in (("model.pull", {"ref": f"{REPO}:q8_0"}), ("hub.search", {"q": "tiny"})):
            with pytest.raises(ThorpError, match="HF_HUB_OFFLINE") as caught:
                await world.ask(name, **given)
            assert caught.value.exit_code == 5
        assert hub.log == ()

    told(story())


def test_B34_a_gated_model_needs_the_owners_token_and_never_rides_a_torrent(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        stocked(hub, tmp_path, gated="manual")
        async with opened(tmp_path, hub) as world:
            row = await world.ask("model.pull", ref=f"{REPO}:q4_k_m")
            error = (await world.ended(row["transfer_id"]))["error"]
            assert error["details"]["exit_code"] == 4
        hub.tokens["hf_owner"] = {REPO}
        world = World(world.paths, replace(world.variables, token="hf_owner"))
        await world.transfers.open()
        for offer in world.models.offers:
            await world.bus.register(offer)
        row = await world.pulled(f"{REPO}:q4_k_m")
        shown = await world.ask("library.show", ref=f"{REPO}:q4_k_m")
        assert shown["gated"] is True
        assert [one["infohash"] for one in shown["files"]] == [None]
        assert not list(world.paths.data.glob("torrents/*"))
        assert (hub.leaks, row["error"]) == (0, None)
        await world.transfers.close()
        await asyncio.to_thread(world.models.close)

    told(story())


def test_what_the_owners_account_may_see_is_not_for_who_may_only_look(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        hub.add("me/Secret-1B-GGUF", {"Secret-1B-Q8_0.gguf": tiny(tmp_path, "s.gguf", MIB)}, private=True)
        hub.tokens["hf_mine"] = {"me/Secret-1B-GGUF"}
        async with opened(tmp_path, hub) as plain:
            world = World(plain.paths, replace(plain.variables, token="hf_mine"))
            for offer in world.models.offers:
                await world.bus.register(offer)
            mine = await world.ask("model.resolve", ref="me/Secret-1B-GGUF")
            assert mine["repo"] == "me/Secret-1B-GGUF"
            puller = keyed("k1", frozenset({Scope.MODELS_READ, Scope.MODELS_WRITE}))
            assert (await world.ask("model.resolve", puller, ref="me/Secret-1B-GGUF"))["repo"] == mine["repo"]
            looker = keyed("k2", frozenset({Scope.MODELS_READ}))
            with pytest.raises(ThorpError) as refused:
                await world.ask("model.resolve", looker, ref="me/Secret-1B-GGUF")
            assert refused.value.code == "models.no_such_repo"
            found = await world.ask("hub.search", looker, q="secret")
            assert found["results"] == []
            await asyncio.to_thread(world.models.close)

    told(story())


def test_as_many_pulls_as_nobody_waits_for_are_refused(tmp_path: Path, hub: FakeHub) -> None:
    async def story() -> None:
        async with opened(tmp_path, hub) as world:
            book, plan = world.transfers._book, (await world.ask("model.resolve", ref=f"{REPO}:q8_0"))
            assert plan["choices"]
            made = world.models.transfers
            first = (await world.ask("model.pull", ref=f"{REPO}:q4_k_m", limit=1))["transfer_id"]
            one, what = book.get(first), book.plan(first)
            for number in range(MOST_WAITING - 1):
                book.begin(
                    one.now(id=f"0{number:025d}", key=f"other/{number}", state=State.PAUSED),
                    replace(what, artifact=f"other-{number}"),
                )
            with pytest.raises(TooManyTransfersError, match="cancel one first"):
                await world.ask("model.pull", ref=f"{REPO}:q8_0")
            assert (await world.ask("model.pull", ref=f"{REPO}:q4_k_m"))["transfer_id"] == first
            await made.cancel(first)

    told(story())
