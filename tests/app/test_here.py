"""Models without a node, end to end in this very process."""

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.models.world import LARGE, MIB, REPO, stall, stocked
from thorp.app.environment import Environment
from thorp.app.here import HereCaller, open_here
from thorp.app.hub_token import keep_token
from thorp.app.paths import paths_of
from thorp.base.errors import ThorpError, UsageError
from thorp.models.records import NoSuchTransferError
from thorp.models.sources.hub_errors import NoAccessError
from thorp.testing.hub import FakeHub


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    with FakeHub() as hub:
        stocked(hub, tmp_path)
        yield hub


def opened(tmp_path: Path, hub: FakeHub, **variables: str) -> Any:
    environment = Environment.of({"THORP_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, **variables})
    return open_here(paths_of(environment), environment)


def pulled(here: HereCaller, ref: str) -> dict[str, Any]:
    *_, last = here.follow(here.call("model.pull", ref=ref)["transfer_id"])
    return last


def test_a_model_is_pulled_followed_and_listed(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub) as here:
        assert here.here
        transfer = here.call("model.pull", ref=f"{REPO}:q8_0")["transfer_id"]
        rows = list(here.follow(transfer))
        assert {one["id"] for one in rows} == {transfer}
        assert (rows[-1]["state"], rows[-1]["done"]) == ("done", 5 * MIB)
        assert [one["model_id"] for one in here.call("library.list")["models"]] == ["tiny:1b:base:q8_0"]
        assert next(here.follow(transfer))["state"] == "done"


def test_long_work_is_streamed_and_its_failure_is_raised(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub) as here:
        pulled(here, f"{REPO}:q4_k_m")
        *_, (kind, answer) = here.stream("library.verify")
        assert (kind, answer["ok"]) == ("done", True)
        with pytest.raises(ThorpError) as caught:
            list(here.stream("library.verify", ref="org/other"))
        assert caught.value.exit_code == 3


def test_a_transfer_that_does_not_exist_is_told_and_not_waited_for(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub) as here, pytest.raises(NoSuchTransferError):
        list(here.follow("0" * 26))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, at a place of the test's choice."""


def interrupt(tmp_path: Path, hub: FakeHub) -> str:
    with opened(tmp_path, hub) as here:
        transfer = here.call("model.pull", ref=f"{REPO}:q8_0")["transfer_id"]
        for row in here.follow(transfer):
            if row["done"] >= 2 * MIB:
                raise Interrupted(transfer)
    raise AssertionError("it was never half there")


def test_an_interrupt_pauses_what_is_under_way_and_the_next_pull_goes_on_with_it(tmp_path: Path, hub: FakeHub) -> None:
    threads = threading.active_count()
    stall(hub)
    with pytest.raises(Interrupted) as caught:
        interrupt(tmp_path, hub)
    (transfer,) = caught.value.args
    with opened(tmp_path, hub) as here:
        assert here.call("transfer.show", id=transfer)["state"] == "paused"
        assert here.call("model.pull", ref=f"{REPO}:q8_0")["transfer_id"] == transfer
        *_, last = here.follow(transfer)
        assert last["state"] == "done"
    assert hub.bytes_sent(LARGE) <= 6 * MIB
    assert not [one for one in threading.enumerate() if one.name in ("here", "work on files")]
    assert threads >= 1


def test_a_stream_that_nobody_reads_to_its_end_ends_with_everything_else(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub) as here:
        pulled(here, f"{REPO}:q8_0")
        stream = here.stream("library.verify")
        next(stream)
        del stream
        unread = here.stream("library.verify")
        next(unread)
    assert not [one for one in threading.enumerate() if one.name == "here"]


def test_a_common_limit_counts_at_once_and_is_kept(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub) as here:
        assert here.call("transfer.limit_all", rate=5_000_000) == {"limit": 5_000_000}
        assert here.call("transfer.list")["limit"] == 5_000_000
    with opened(tmp_path, hub) as here:
        assert here.call("transfer.list")["limit"] == 5_000_000


def test_a_token_of_the_environment_counts_more_than_the_kept_one(tmp_path: Path, hub: FakeHub) -> None:
    stocked(hub, tmp_path, gated="auto")
    hub.tokens["hf_good"] = {REPO}
    ref = f"{REPO}:q4_k_m"
    kept = paths_of(Environment(home=tmp_path / "home"))
    for token, variable, opens in (
        ("hf_bad", {}, False),
        ("hf_bad", {"HF_TOKEN": "hf_good"}, True),
        ("hf_good", {"HF_TOKEN": "hf_bad"}, False),
        ("hf_good", {}, True),
    ):
        keep_token(kept, token)
        with opened(tmp_path, hub, **variable) as here:
            if opens:
                assert pulled(here, ref)["state"] == "done"
                here.call("library.remove", ref=ref)
            else:
                with pytest.raises(NoAccessError) as caught:
                    here.call("model.pull", ref=ref)
                assert caught.value.exit_code == 4
    assert hub.leaks == 0


def test_settings_that_cannot_be_read_are_told_before_anything_begins(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home/config.toml").write_text("[transfers]\nlimit = -1\n")
    with pytest.raises(UsageError), opened(tmp_path, hub):
        pass
    assert not [one for one in threading.enumerate() if one.name == "here"]


def test_models_go_where_the_hubs_own_tools_would_put_them(tmp_path: Path, hub: FakeHub) -> None:
    with opened(tmp_path, hub, HF_HUB_CACHE=str(tmp_path / "cache")) as here:
        pulled(here, f"{REPO}:q4_k_m")
        (file,) = here.call("library.show", ref=REPO)["files"]
    assert Path(file["at"]).is_relative_to(tmp_path / "cache/models--org--Tiny-1B-GGUF/snapshots")
