"""A node in the background: ready, or its own words why not."""

import os
import signal
from pathlib import Path

import pytest

from thorp.app.detach import StartFailedError, start_detached
from thorp.app.environment import Environment
from thorp.app.lock import read_holder
from thorp.app.paths import paths_of
from thorp.testing.process import running_node


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THORP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_it_outlives_the_call_and_is_ready_when_it_returns(home: Path) -> None:
    paths = paths_of(Environment(home=home))
    ready = start_detached(paths, ("--port", "0"))
    try:
        holder = read_holder(paths.lock)
        assert holder is not None
        assert (holder.pid, holder.address) == (ready.pid, ready.address)
        assert os.getsid(ready.pid) == ready.pid
    finally:
        os.kill(ready.pid, signal.SIGTERM)
        os.waitpid(ready.pid, 0)


def test_the_childs_own_error_is_told_with_its_code_and_exit_code(home: Path) -> None:
    home.mkdir()
    with running_node(home), pytest.raises(StartFailedError) as caught:
        start_detached(paths_of(Environment(home=home)), ())
    assert (caught.value.code, caught.value.exit_code) == ("app.home_taken", 8)
