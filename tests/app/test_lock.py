import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from thorp.app.lock import Holder, HomeLock, HomeTakenError, boot_id, process_start, read_holder
from thorp.base.clock import SystemClock
from thorp.base.errors import ThorpError

HOLD = """
import sys
from pathlib import Path
from thorp.app.lock import HomeLock
from thorp.base.clock import SystemClock

with HomeLock(Path(sys.argv[1]), Path("/srv/of/another"), SystemClock()) as lock:
    lock.announce(run=Path("/run/of/another"), address="http://127.0.0.1:8737")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def home_lock(path: Path) -> HomeLock:
    return HomeLock(path, path.parent, SystemClock())


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def me() -> Holder:
    return Holder(os.getpid(), process_start(os.getpid()), boot_id(), 1_800_000_000.0, "/srv/of/another")


def leave(path: Path, holder: Holder) -> None:
    path.write_text(json.dumps(asdict(holder)))


def test_a_free_home_is_taken_told_and_let_go(path: Path) -> None:
    with home_lock(path) as lock:
        lock.announce(run=Path("/run/here"), address="http://127.0.0.1:8737")
        holder = read_holder(path)

        assert holder
        assert (holder.pid, holder.run, holder.address) == (os.getpid(), "/run/here", "http://127.0.0.1:8737")
        assert not lock.was_stale
        assert path.stat().st_mode & 0o777 == 0o600

    assert read_holder(path) is None
    with home_lock(path) as again:
        assert not again.was_stale


def test_a_second_node_is_told_who_holds_the_home(path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(HomeTakenError, match=rf"process {other.pid}, since \d{{4}}-.*`thorp down`") as caught:
        home_lock(path).take()

    assert caught.value.details["pid"] == other.pid
    assert caught.value.details["address"] == "http://127.0.0.1:8737"
    assert caught.value.exit_code == 8
    holder = read_holder(path)
    assert holder
    assert holder.pid == other.pid


def test_a_killed_holder_leaves_a_stale_lock_that_is_taken_over(path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()

    assert path.read_text()
    assert read_holder(path) is None
    with home_lock(path) as lock:
        assert lock.was_stale
        assert (holder := read_holder(path))
        assert holder.pid == os.getpid()


def test_a_dead_process_that_nobody_waited_for_holds_nothing(path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it ended, but its parent has not taken note: a zombie

    assert process_start(other.pid) is None
    assert read_holder(path) is None


def test_another_process_with_the_same_number_does_not_hold_the_home(
    path: Path, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    holder = read_holder(path)
    assert holder
    assert holder.started
    reused = tmp_path / "reused"
    leave(reused, replace(holder, started=holder.started - 1))

    assert read_holder(reused) is None
    with home_lock(reused) as lock:
        assert lock.was_stale
    assert other.poll() is None


def test_a_holder_from_before_the_reboot_holds_nothing(path: Path) -> None:
    leave(path, replace(me(), boot="00000000-0000-0000-0000-000000000000"))

    assert read_holder(path) is None


def test_a_living_holder_is_respected_even_where_the_file_system_knows_no_locks(
    path: Path, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"  # the same words, and no kernel lock behind them
    copy.write_text(path.read_text())

    with pytest.raises(HomeTakenError, match=f"process {other.pid}"):
        home_lock(copy).take()


def test_a_lock_that_names_nobody_alive_is_still_respected_while_the_kernel_holds_it(
    path: Path, other: subprocess.Popen[str]
) -> None:
    path.write_text("")

    with pytest.raises(HomeTakenError, match="does not say who it is"):
        home_lock(path).take()
    assert other.poll() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "1"}', b"\xff\xfe", b"{}" * 5000])
def test_nonsense_in_the_file_names_nobody_and_is_taken_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    assert read_holder(path) is None
    with home_lock(path) as lock:
        assert lock.was_stale is bool(content)
        assert read_holder(path)


def test_a_missing_file_or_a_pipe_in_its_place_names_nobody(path: Path) -> None:
    assert read_holder(path) is None
    assert read_holder(path.parent) is None


def test_a_link_in_the_place_of_the_lock_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)

    with pytest.raises(ThorpError):
        home_lock(path).take()
    assert target.read_text() == "precious"


def test_closing_twice_and_announcing_without_the_lock(path: Path) -> None:
    lock = home_lock(path)
    with pytest.raises(RuntimeError):
        lock.announce(run=path.parent, address="")
    lock.take()
    lock.close()
    lock.close()

    assert path.read_bytes() == b""


def test_who_lost_the_lock_file_still_holds_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = tmp_path / "lock"
    with HomeLock(path, tmp_path, SystemClock(), data):
        path.unlink()
        with pytest.raises(HomeTakenError, match="was removed"):
            HomeLock(path, tmp_path, SystemClock(), data).take()
    path.unlink(missing_ok=True)
    with HomeLock(path, tmp_path, SystemClock(), data) as again:
        assert not again.was_stale
