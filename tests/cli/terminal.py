"""What a person sees who types a command line: a real process on a terminal of its own."""

import os
import pty
import subprocess
import sys
from pathlib import Path


def on_a_terminal(home: Path, *arguments: str, columns: int = 100, typed: str = "", **variables: str) -> str:
    """All that appears there, what was typed included."""
    ours, theirs = pty.openpty()
    given = {"THORP_HOME": str(home), "TERM": "dumb", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [sys.executable, "-m", "thorp", *arguments],
        env=os.environ | given | variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        seen = b""
        while chunk := read(ours):
            seen += chunk
        process.wait(60)
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        return b""


def printed_to(home: Path, stdout: int, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command whose data goes there."""
    told = subprocess.run(
        [sys.executable, "-m", "thorp", *arguments],
        env=os.environ | {"THORP_HOME": str(home)},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    return told.returncode, told.stderr
