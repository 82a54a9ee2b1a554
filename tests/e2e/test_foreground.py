"""`thorp up` as a person runs it: on a terminal, claimed once, ended by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from thorp.app.lock import read_holder
from thorp.net.blocking import BlockingClient
from thorp.testing.process import PATIENCE, NodeProcess, environment_of, run_thorp, running_node, until

SLOW_WORDS = {"input": {"text": "word " * 1_000, "pause_ms": 50}}  # longer than any stop may take


@dataclass
class Foreground:
    process: "subprocess.Popen[str]"
    errors: Path

    @property
    def said(self) -> str:
        """What went to stderr."""
        return self.errors.read_text()

    def first_line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def foreground(home: Path, *before: str, **more: str) -> Generator[Foreground]:
    """`thorp up` as a shell starts it."""
    errors = home.parent / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*before, sys.executable, "-m", "thorp", "up", "--port", "0"],
            env=environment_of(home, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Foreground(process, errors)
        finally:
            process.kill()


def parts_of(line: str) -> tuple[str, str]:
    """The address and the code in the line that `thorp up` prints first."""
    address, _, code = line.partition(" is up: ")[2].partition("/")[2].partition("#code=")
    return f"http:/{address}".rstrip("/"), code


def test_the_printed_code_claims_the_node_once_and_for_ever(home: Path) -> None:
    with foreground(home) as up:
        address, code = parts_of(up.first_line())
        browser = BlockingClient.url(address, "")
        assert len(code) == 8
        assert browser.request("GET", "/api/v1/claim").data == {"claimed": False}
        assert browser.request("POST", "/api/v1/claim", {"code": "00000000"}).status == 401
        assert browser.request("GET", "/api/v1/claim").data == {"claimed": False}
        won = browser.request("POST", "/api/v1/claim", {"code": code})
        assert won.status == 201
        assert BlockingClient.url(address, won.data["token"]).request("GET", "/api/v1/config").status == 200
        again = browser.request("POST", "/api/v1/claim", {"code": code})
        assert (again.status, again.data["error"]["code"]) == (409, "access.already_claimed")
        assert up.end() == 0
    with foreground(home) as up:
        address, code = parts_of(up.first_line())
        assert code == ""
        signed_in = BlockingClient.url(address, won.data["token"])
        assert signed_in.request("GET", "/api/v1/status").data["claimed"] is True
        assert up.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_node_in_order_and_leaves_no_run_files(home: Path, number: signal.Signals) -> None:
    with foreground(home) as up:
        up.first_line()
        assert sorted(path.name for path in (home / "run").iterdir()) == ["api.sock", "lock", "owner.token", "pid"]
        assert (home / "run" / "pid").read_text() == f"{up.process.pid}\n"
        assert up.end(number) == 0
    assert sorted(path.name for path in (home / "run").iterdir()) == ["lock"]
    assert (home / "run" / "lock").read_text() == ""
    assert f"({number.name})" in up.said
    assert "Traceback" not in up.said


def test_the_end_of_the_terminal_does_not_end_a_node_under_nohup(home: Path) -> None:
    with foreground(home, "nohup") as up:
        address, _ = parts_of(up.first_line())
        up.process.send_signal(signal.SIGHUP)
        assert BlockingClient.url(address, "").request("GET", "/healthz").status == 200
        assert up.end(signal.SIGTERM) == 0
    assert "SIGHUP" not in up.said


def test_a_signal_while_the_node_starts_ends_it_without_a_trace(home: Path) -> None:
    with foreground(home) as up:
        until((home / "run" / "pid").exists, "the node takes its home")
        assert up.end() in (0, 130)
    assert "Traceback" not in up.said
    assert read_holder(home / "run" / "lock") is None
    with running_node(home) as after:
        assert after.status()["stopped_cleanly"] in (None, True)


def interrupted_while_stopping(node: NodeProcess) -> int:
    changes = node.watch()
    call = node.watch("POST", "/api/v1/call/node.echo", SLOW_WORDS)
    assert call.take()
    os.kill(node.process.pid, signal.SIGINT)
    changes.change("node.stopping")  # it now waits for the call
    return node.end(signal.SIGINT)


def test_a_second_ctrl_c_does_not_wait_for_order(home: Path) -> None:
    with running_node(home) as node:
        assert interrupted_while_stopping(node) == 130
        assert node.processes() == set()
    assert sorted(path.name for path in (home / "run").iterdir()) == ["lock"]
    assert run_thorp(home, "status").returncode == 3
    assert "Traceback" not in (home.parent / "n.output").read_text()
    with running_node(home) as after:
        assert after.status()["node"]["state"] == "running"
