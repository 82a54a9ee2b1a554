"""A terminal that keeps what it shows, and a program on one whose keys are pressed when something is seen."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PATIENCE = 30.0  # seconds; a test that waits so long has failed
TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(.)", re.DOTALL)


class Screen:
    """Knows as much of a terminal as is used: line ends, one column to the next, up, clearing, the cursor's look."""

    def __init__(self) -> None:
        self.rows: list[str] = [""]
        self.at = 0
        self.column = 0
        self.cursor = True
        self.coloured = False

    @property
    def lines(self) -> list[str]:
        return [row.rstrip() for row in self.rows]

    def show(self, text: str) -> "Screen":
        for number, what, one in TOKEN.findall(text):
            if what:
                self._steer(number, what)
            else:
                self._put(one)
        return self

    def _steer(self, number: str, what: str) -> None:
        match what:
            case "A":
                self.at -= int(number)
                assert self.at >= 0, "above the first line"
            case "K":
                self.rows[self.at] = self.rows[self.at][: self.column]
            case "J":
                self.rows[self.at] = self.rows[self.at][: self.column]
                del self.rows[self.at + 1 :]
            case "m":
                self.coloured = self.coloured or number not in ("0", "")
            case "h" | "l":
                assert number == "?25"
                self.cursor = what == "h"
            case _:
                raise AssertionError(f"unknown: {number}{what}")

    def _put(self, one: str) -> None:
        if one == "\r":
            self.column = 0
        elif one == "\n":
            self.at, self.column = self.at + 1, 0
            if self.at == len(self.rows):
                self.rows.append("")
        else:
            row = self.rows[self.at].ljust(self.column)
            self.rows[self.at] = row[: self.column] + one + row[self.column + 1 :]
            self.column += 1


class Program:
    """What runs there, and the person before it."""

    def __init__(self, terminal: int, theirs: int, process: subprocess.Popen[bytes]) -> None:
        self._terminal = terminal
        self._theirs = theirs  # kept open, so that its mode can be asked for at the end
        self.process = process
        self.seen = ""

    def until(self, text: str) -> None:
        """Wait until this is written from now on."""
        start = len(self.seen)
        while text not in self.seen[start:]:
            assert select.select([self._terminal], [], [], PATIENCE)[0], f"never saw {text!r} in {self.seen!r}"
            self.seen += os.read(self._terminal, 4096).decode()

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Its exit code, with all that it wrote in `seen`."""
        code = self.process.wait(PATIENCE)
        while select.select([self._terminal], [], [], 0)[0]:
            self.seen += os.read(self._terminal, 4096).decode()
        return code

    def resize(self, columns: int, lines: int) -> None:
        resize(self._theirs, columns, lines)

    def mode(self) -> list[object]:
        return termios.tcgetattr(self._theirs)


def resize(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def program(code: str, columns: int = 80, lines: int = 24, **variables: str) -> Iterator[Program]:
    """These lines of Python on a terminal of that size."""
    ours, theirs = pty.openpty()
    resize(theirs, columns, lines)
    given = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=given | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"} | variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    try:
        yield Program(ours, theirs, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
