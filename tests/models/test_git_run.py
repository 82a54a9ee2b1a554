"""Git runs with nothing of the person's surroundings, watched, and to its end or not at all."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.repositories import GGUF, NEEDED, a_run, repository
from thorp.models.git_run import CloneEndedError, Errand, GitFailedError, GitRun, RepositoryTooLargeError
from thorp.testing.process import until

pytestmark = NEEDED


def with_git(top: Path, script: str) -> GitRun:
    """A program that is called git and does something else."""
    programs = top / "bin"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "git").chmod(0o755)
    return a_run(top, top, programs=f"{programs}:/usr/bin:/bin")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_answers(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: b"x"}, lfs="")
    run = a_run(tmp_path, folder)
    run.run(Errand(("clone", "--bare", "--quiet", "--", run.address.url, str(run.bare)), 1 << 20))

    assert run.answer("cat-file", "blob", f"HEAD:{GGUF}") == b"x"
    assert run.weight() > 0


def test_the_persons_surroundings_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "evil")
    monkeypatch.setenv("THORP_KEY", "secret")
    run = with_git(tmp_path, "env")
    said = dict(one.split("=", 1) for one in run.answer().decode().splitlines() if "=" in one)

    assert "THORP_KEY" not in said
    assert said["HOME"] == str(run.scratch)
    assert said["GIT_SSH_COMMAND"].startswith("ssh -oBatchMode=yes")
    assert (said["GIT_ALLOW_PROTOCOL"], said["GIT_TERMINAL_PROMPT"]) == ("file", "0")
    assert said["GIT_CONFIG_GLOBAL"] == os.devnull


def test_D51_another_protocol_than_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path, tmp_path)
    trap = tmp_path / "sprung"

    for url in (f"ext::touch {trap}", "git://127.0.0.1/x", "http://127.0.0.1:9/x"):
        with pytest.raises(GitFailedError, match="not allowed"):
            run.run(Errand(("clone", "--bare", "--", url, str(run.bare)), 1 << 20))
    assert not trap.exists()


def test_D51_what_writes_without_end_is_ended(tmp_path: Path) -> None:
    run = with_git(tmp_path, "while :; do printf '%065536d' 0; done")

    with pytest.raises(RepositoryTooLargeError):
        run.answer(limit=1 << 20)


def test_D51_an_answer_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryTooLargeError):
        with_git(tmp_path, "printf '%0100d' 0").answer(limit=99)


def test_D51_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    run = with_git(tmp_path, "sleep 1000 & echo $! > pid; wait")

    class Later:
        """Every look at this clock is an hour later."""

        def __init__(self) -> None:
            self.now = 0.0

        def wall(self) -> float:
            return self.now

        def monotonic(self) -> float:
            pid = run.scratch / "pid"
            if pid.exists() and pid.read_text().strip():
                self.now += 3600
            return self.now

    with pytest.raises(CloneEndedError, match="longer"):
        replace(run, clock=Later()).run(Errand((), 1 << 20))
    child = int((run.scratch / "pid").read_text())
    until(lambda: not runs(child), "the kernel has ended it")


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(CloneEndedError, match="ended"):
        replace(with_git(tmp_path, "exec sleep 1000"), stop=stop).run(Errand((), 1 << 20))


def test_its_complaint_is_told_fit_for_a_terminal(tmp_path: Path) -> None:
    run = with_git(tmp_path, "printf 'remote: hello\\nfatal: \\033[2Jno\\n' >&2; exit 3")

    with pytest.raises(GitFailedError, match=r"fatal: \\x1b\[2Jno"):
        run.run(Errand((), 1 << 20))
    silent = replace(run, programs=run.programs)
    (tmp_path / "bin/git").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(GitFailedError, match="it gave no reason"):
        silent.run(Errand((), 1 << 20))
