"""The life of the node process, seen from outside."""

import signal
from pathlib import Path

import pytest

from thorp.app.run import ASKED_BY
from thorp.testing.process import DidNotStartError, running_node, start_node


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_takes_its_run_files_along(tmp_path: Path, number: signal.Signals) -> None:
    node = start_node(tmp_path / "home")
    left = (node.paths.pid, node.paths.owner_token, node.paths.socket)
    assert all(one.exists() for one in left)
    assert node.end(number) == 0
    assert not any(one.exists() for one in left)
    assert node.paths.lock.read_bytes() == b""


def test_the_log_says_in_words_what_ended_it(tmp_path: Path) -> None:
    node = start_node(tmp_path / "home")
    assert node.end(signal.SIGTERM) == 0
    assert "stopping: the system asked it to end (SIGTERM)" in [line["message"] for line in node.log()]
    assert sorted(one.name for one in ASKED_BY if one.name not in ASKED_BY[one]) == []


def test_a_lost_key_is_a_new_identity_and_the_log_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = start_node(home)
    kept = first.key("node:read")["id"]
    assert first.end() == 0
    (home / "keys" / "node.key").unlink()
    with running_node(home) as node:
        assert node.ready.node_id != first.ready.node_id
        assert [one["id"] for one in node.owner().request("GET", "/api/v1/keys").data["keys"]] == [kept]
        assert [line["level"] for line in node.log() if "new identity" in line["message"]] == ["warning"]


def test_a_wrong_setting_is_told_before_anything_starts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[local]\nprot = 1\n")
    with pytest.raises(DidNotStartError, match=r"local\.port") as caught:
        start_node(home)
    assert caught.value.said is not None
    assert (caught.value.said.code, caught.value.said.exit_code) == ("config.unknown_key", 2)


def test_a_mistaken_variable_is_a_warning(tmp_path: Path) -> None:
    with running_node(tmp_path / "home", THORP_LOCAL_PROT="1") as node:
        assert "THORP_LOCAL_PROT" in (node.paths.logs / "thorp.log").read_text()
