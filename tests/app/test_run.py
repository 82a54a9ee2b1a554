"""The life of the node process, seen from outside."""

import signal
from pathlib import Path

import pytest

from thorp.testing.process import DidNotStartError, running_node, start_node


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_takes_its_run_files_along(tmp_path: Path, number: signal.Signals) -> None:
    node = start_node(tmp_path / "home")
    left = (node.paths.pid, node.paths.owner_token, node.paths.socket)
    assert all(one.exists() for one in left)
    assert node.end(number) == 0
    assert not any(one.exists() for one in left)
    assert node.paths.lock.read_bytes() == b""


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
