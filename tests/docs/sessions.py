"""Terminal sessions in pages: `$ command` lines and what they print, run for real in one shell.

In what is shown, `…` stands for anything within a line, and a line of its own for any number of lines.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT
from thorp.testing.process import QUIET

PATIENCE = 60.0  # seconds for a whole session; a shell that hangs is ended and the test fails
END = "--- end of command ---"
SHOWN_PORT = "8737"
ANY = "…"
NOWHERE = "http://127.0.0.1:9"  # a hub that does not answer: no page reaches the internet
COMMAND = re.compile(r"(?:.*\\\n)*.*")  # a line that ends in a backslash goes on in the next


@dataclass(frozen=True, slots=True)
class Step:
    command: str
    shown: str


def steps(block: str) -> Iterator[Step]:
    """The commands of a block, each with the lines below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        if found := COMMAND.match(part):
            yield Step(found[0], part[found.end() :].strip("\n"))


def pattern(shown: str) -> re.Pattern[str]:
    """What the output has to look like. The first port in it may be any, and is remembered."""
    lines = (
        r"(?:[^\n]*\n)*?" if line == ANY else re.escape(line).replace(re.escape(ANY), r"[^\n]*?") + r"\n"
        for line in shown.split("\n")
    )
    return re.compile("".join(lines).replace(SHOWN_PORT, r"(?P<port>\d+)", 1).replace(SHOWN_PORT, r"\d+"))


class Shell:
    """One bash that keeps its variables from command to command."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._port = SHOWN_PORT

    def run(self, step: Step) -> None:
        """Run the command, and fail unless it prints what is shown."""
        output = self._output(step.command.replace(SHOWN_PORT, self._port))
        found = pattern(step.shown).fullmatch(output.rstrip("\n") + "\n")
        assert found, f"$ {step.command}\n--- shown\n{step.shown}\n--- real\n{output}"
        self._port = found.groupdict().get("port", self._port)

    def _output(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} </dev/null 2>&1\nprintf '\\n%s\\n' '{END}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line == f"{END}\n":
                return "".join(lines)[:-1]
            lines.append(line)
        raise AssertionError(f"the shell ended in the middle of `{command}`, after:\n{''.join(lines)}")


@contextmanager
def shell(folder: Path, hub: str = NOWHERE) -> Generator[Shell]:
    """A shell with `thorp` on its path, a home folder of its own, and `hub` for the hub in the internet.

    Every node started on a home in it is stopped.
    """
    programs = folder / "bin"
    programs.mkdir()
    thorp = programs / "thorp"
    thorp.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m thorp "$@"\n')
    thorp.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": hub,
        "HOME": str(home),
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT / "src"),
        "THORP_LOCAL_PORT": "0",
        **QUIET,
        "NO_COLOR": "1",
    }
    environment.pop("DISPLAY", None)
    with subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment,
    ) as process:
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            yield Shell(process)
        finally:
            alarm.cancel()
            process.kill()
            for lock in home.glob("*/run/lock"):
                end = {**environment, "THORP_HOME": str(lock.parents[1])}
                subprocess.run([thorp, "down"], env=end, capture_output=True, check=False, timeout=PATIENCE)
