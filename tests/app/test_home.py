"""Making a home and tidying one up."""

import os
import socket
from pathlib import Path

import pytest

from thorp.app.environment import Environment
from thorp.app.home import has_lost_its_key, leftovers, make_home, remove
from thorp.app.lock import HomeLock, HomeTakenError
from thorp.app.paths import Paths, paths_of
from thorp.base.clock import SystemClock


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_of(Environment(home=tmp_path / "home"))


def test_a_home_is_made_once_and_stays_as_it_is(paths: Paths) -> None:
    first = make_home(paths)
    paths.config_file.write_text("# mine\n")
    again = make_home(paths)
    assert (first["made"], again["made"]) == (True, False)
    assert first["node_id"] == again["node_id"]
    assert paths.config_file.read_text() == "# mine\n"
    assert paths.keys.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("key", "database", "lost"),
    [(False, False, False), (True, False, False), (True, True, False), (False, True, True)],
)
def test_an_identity_is_lost_only_where_a_node_ran_before(
    paths: Paths, *, key: bool, database: bool, lost: bool
) -> None:
    make_home(paths)
    if not key:
        (paths.keys / "node.key").unlink()
    if database:
        paths.db.touch()
    assert has_lost_its_key(paths) is lost
    assert make_home(paths)["new_identity"] is lost
    assert not has_lost_its_key(paths)


def test_only_stale_run_files_and_unfinished_ones_go(paths: Paths) -> None:
    make_home(paths)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket))
    paths.owner_token.write_text("thorp_o_x")
    unfinished = paths.data / ".thing.0.unfinished"
    unfinished.touch()
    kept = [paths.config_file, paths.keys / "node.key", paths.data / "thing"]
    kept[-1].touch()
    found = leftovers(paths)
    assert set(found) == {paths.socket, paths.owner_token, unfinished}
    remove(found)
    assert leftovers(paths) == ()
    assert all(one.exists() for one in kept)


def test_a_running_nodes_files_are_not_stale(paths: Paths) -> None:
    make_home(paths)
    with HomeLock(paths.lock, paths.root, SystemClock()), pytest.raises(HomeTakenError, match=str(os.getpid())):
        leftovers(paths)
