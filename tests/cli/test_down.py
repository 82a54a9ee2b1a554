"""`thorp down`, as a person types it."""

from pathlib import Path

from thorp.testing.process import run_thorp, running_node, start_node


def test_it_waits_until_the_home_is_free(tmp_path: Path) -> None:
    node = start_node(tmp_path / "home")
    done = run_thorp(node.home, "down")
    assert (done.returncode, done.stdout) == (0, "Stopped.\n")
    assert node.process.wait(10) == 0
    assert not node.paths.socket.exists()


def test_quiet_says_nothing(tmp_path: Path) -> None:
    with running_node(tmp_path / "home") as node:
        done = run_thorp(node.home, "-q", "down")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        again = run_thorp(node.home, "down", "-q")
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_nothing_to_stop_is_no_error(tmp_path: Path) -> None:
    done = run_thorp(tmp_path / "home", "down", "--json")
    assert (done.returncode, done.stdout.split()) == (0, ["{", '"stopped":', "false", "}"])
