"""The harness itself: what it reads arrives, what it waits for in vain is named, and nothing dead counts as alive."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.net.blocking import BlockingClient, SseFrame
from thorp.testing import process
from thorp.testing.process import (
    QUIET,
    DidNotStartError,
    Watching,
    environment_of,
    processes_of,
    run_thorp,
    start_node,
    until,
)

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"12\r\nevent: x\ndata: 1\n\n\r\n"


def watching(said: bytes) -> Watching:
    """Watches a server that says this much and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        client = BlockingClient.url(f"http://127.0.0.1:{server.getsockname()[1]}", "")
        watched = Watching(client.events("GET", "/"))
        watched.rest()
        thread.join()
    return watched


def test_a_stream_that_was_ended_is_no_failure() -> None:
    watched = watching(HEAD + EVENT + b"0\r\n\r\n")
    assert [(frame.event, frame.data) for frame in watched.seen] == [("x", 1)]
    assert watched.failure is None


def test_a_stream_that_breaks_off_in_mid_event_is_one() -> None:
    watched = watching(HEAD + EVENT + EVENT[:12])
    assert len(watched.seen) == 1
    assert watched.failure is not None


def test_a_watch_has_begun_when_its_first_frame_is_here_and_that_frame_is_still_to_be_taken() -> None:
    go, snapshot = threading.Event(), SseFrame("snapshot", "1", {})

    def frames() -> Iterator[SseFrame]:
        yield snapshot
        go.wait()

    watched = Watching(frames()).begun()
    assert watched.take() is snapshot
    go.set()


def test_a_change_that_never_comes_is_named() -> None:
    watched = Watching(iter(()))
    with pytest.raises(AssertionError, match=r"without a change `keys\.changed`"):
        watched.change("keys.changed")


def test_waiting_in_vain_says_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.02)  # a constant of the harness, not a part of the node
    with pytest.raises(AssertionError, match="the moon"):
        until(lambda: None, "the moon")


def test_a_session_is_seen_with_all_its_processes_and_without_the_dead() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import subprocess as s; print(s.Popen(['cat']).pid, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as parent:
        assert parent.stdout
        assert parent.stdin
        child = int(parent.stdout.readline())
        assert processes_of(parent.pid) == {parent.pid, child}
        parent.stdin.close()
        until(lambda: not processes_of(parent.pid), "both have ended, though nobody has reaped them")
        assert Path(f"/proc/{parent.pid}").exists()


def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("a file where the home should be")
    with pytest.raises(DidNotStartError):
        start_node(tmp_path / "n")


def test_nothing_of_the_person_reaches_a_node(tmp_path: Path) -> None:
    os.environ["THORP_LOCAL_PORT"] = "1"  # the fixture of every test takes it away again
    try:
        assert "THORP_LOCAL_PORT" not in environment_of(tmp_path)
    finally:
        del os.environ["THORP_LOCAL_PORT"]
    assert environment_of(tmp_path, THORP_LOGS_LEVEL="debug")["THORP_LOGS_LEVEL"] == "debug"


def test_a_node_of_a_test_stays_on_loopback_unless_it_is_let_out(tmp_path: Path) -> None:
    assert environment_of(tmp_path)["THORP_MESH_HOST"] == "127.0.0.1"
    assert environment_of(tmp_path)["THORP_MESH_PORT"] == "0"
    assert environment_of(tmp_path, **dict.fromkeys(QUIET, ""))["THORP_MESH_HOST"] == ""


def test_a_command_line_may_begin_with_what_takes_it_elsewhere(tmp_path: Path) -> None:
    told = run_thorp(tmp_path, "call", through=("echo", "through"))
    assert told.stdout.startswith("through ")
    assert told.stdout.endswith(" -m thorp call\n")
