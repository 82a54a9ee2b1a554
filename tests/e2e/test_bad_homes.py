"""A home or a port that cannot be had: one sentence with a remedy, the right exit code, nothing half begun."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.testing.process import PATIENCE, NodeProcess, environment_of, run_thorp

NAMESPACE = "-m" if os.geteuid() == 0 else "-Urm"
READ_ONLY = "mount -t tmpfs -o ro none {0}"
MADE_READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0}"


def on_disk(mount: str, home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command line whose home lies on a disk of its own, in a mount namespace of its own."""
    if shutil.which("unshare") is None:
        pytest.fail("this test needs `unshare` and `mount` (Debian package util-linux)")
    disk = home.parent
    disk.mkdir(exist_ok=True)
    # A node that does start is ended like any other; what is tested is that it does not.
    script = f'{mount.format(disk)} || {{ echo no mount >&2; exit 99; }}; exec "$@"'
    ran = subprocess.run(
        ["unshare", NAMESPACE, "sh", "-c", script, "sh", sys.executable, "-m", "thorp", *words],
        env=environment_of(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode != 99, f"a disk could not be mounted in a namespace of its own: {ran.stderr}"
    return ran


def is_one_sentence_about(home: Path, text: str) -> bool:
    """One line for a person, which names what it is about. No traceback, and no excuse for one."""
    return text.count("\n") == 1 and str(home) in text and "should not have happened" not in text


@pytest.mark.parametrize("words", [("up", "--port", "0"), ("up", "--detach", "--port", "0"), ("init",)])
def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "disk" / "n"
    refused = on_disk(READ_ONLY, home, *words)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert is_one_sentence_about(home, refused.stderr)
    assert "Read-only file system" in refused.stderr


@pytest.mark.parametrize(
    "words", [("up", "--port", "0"), ("up", "--detach", "--port", "0"), ("config", "set", "logs.level", "debug")]
)
def test_a_home_that_became_read_only_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "disk" / "n"
    assert run_thorp(home, "init").returncode == 0
    refused = on_disk(MADE_READ_ONLY, home, *words)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert is_one_sentence_about(home, refused.stderr)
    assert "whether the disk is read-only" in refused.stderr


def test_a_home_that_became_read_only_can_still_be_looked_at(tmp_path: Path) -> None:
    home = tmp_path / "disk" / "n"
    assert run_thorp(home, "init").returncode == 0
    for words, exit_code in ((("config", "show"), 0), (("config", "check"), 0), (("status",), 3), (("down",), 0)):
        assert on_disk(MADE_READ_ONLY, home, *words).returncode == exit_code, words


@pytest.mark.parametrize("kilobytes", [4, 12, 32, 48])
def test_C37_a_full_disk_is_called_full_wherever_it_meets_the_start(tmp_path: Path, kilobytes: int) -> None:
    home = tmp_path / "disk" / "n"
    refused = on_disk(f"mount -t tmpfs -o size={kilobytes}k none {{0}}", home, "up", "--port", "0")
    assert (refused.returncode, refused.stdout) == (7, "")
    assert is_one_sentence_about(home, refused.stderr)
    assert "Free some space" in refused.stderr


def test_a_home_that_is_a_file_or_somebody_elses_is_refused(home: Path, tmp_path: Path) -> None:
    home.write_text("not a folder")
    refused = run_thorp(home, "up", "--port", "0")
    assert refused.returncode == 8
    assert is_one_sentence_about(home, refused.stderr)
    assert home.read_text() == "not a folder"

    open_to_all = tmp_path / "o"
    (open_to_all / "keys").mkdir(parents=True)
    (open_to_all / "keys").chmod(0o777)
    refused = run_thorp(open_to_all, "up", "--port", "0")
    assert refused.returncode == 4
    assert is_one_sentence_about(open_to_all / "keys", refused.stderr)
    assert f"`chmod 700 {open_to_all / 'keys'}`" in refused.stderr


def test_a_taken_port_names_its_holder_and_a_free_one(node: NodeProcess, tmp_path: Path) -> None:
    home = tmp_path / "o"
    refused = run_thorp(home, "up", "--port", str(node.port))
    assert (refused.returncode, refused.stdout) == (8, "")
    line = refused.stderr.splitlines()[-1]
    assert line.startswith(f"Port {node.port} on 127.0.0.1 is taken by ")
    assert f"(pid {node.process.pid})" in line
    free = line.partition("`thorp up --port ")[2].partition("`")[0]
    assert int(free) > node.port
    assert f"`thorp config set local.port {free}`" in line
    assert "Traceback" not in refused.stderr
    assert sorted(path.name for path in (home / "run").iterdir()) == ["lock"]  # nothing half begun is left
    assert run_thorp(home, "status").returncode == 3


def test_the_remedy_for_a_taken_port_works(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = run_thorp(home, "up", "--detach", "--port", port, "--json")
        assert refused.returncode == 8
        free = refused.stderr.partition("`thorp up --port ")[2].partition("`")[0]
        try:
            assert run_thorp(home, "up", "--detach", "--port", free).returncode == 0
        finally:
            assert run_thorp(home, "down").returncode == 0


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The folder of a test may itself be too long for a socket in it."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_a_home_with_a_very_long_path_works_and_says_where_its_socket_went(tmp_path: Path, short_folder: Path) -> None:
    home = tmp_path / ("long" * 30)
    runtime = short_folder
    where = {"XDG_RUNTIME_DIR": str(runtime)}
    up = run_thorp(home, "up", "--detach", "--port", "0", **where)
    try:
        assert up.returncode == 0, up.stderr
        paths = run_thorp(home, "config", "paths", **where).stdout
        assert f"{runtime}/thorp-" in paths
        assert run_thorp(home, "status").returncode == 0  # from a session without that variable, too
        second = run_thorp(home, "up", "--port", "0")
        assert second.returncode == 8
    finally:
        assert run_thorp(home, "down").returncode == 0
    assert [path.name for path in runtime.glob("thorp-*/*")] == []
