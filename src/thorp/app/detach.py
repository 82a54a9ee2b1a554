"""Starts the node as a process of its own that outlives the terminal, and waits until it is ready or says why not."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from thorp.app.paths import Paths, make_folders
from thorp.app.ready import Ready, StartFailed, parse_line
from thorp.base.errors import InternalError
from thorp.base.files import explaining

OUTPUT: Final = "up.log"


class StartFailedError(InternalError):
    """The node in the background did not come up."""

    code = "app.start_failed"


def start_detached(paths: Paths, arguments: Sequence[str]) -> Ready:
    """Start `thorp up` in the background with `arguments`; return when it is ready."""
    make_folders(paths)
    reading, writing = os.pipe()
    output = paths.logs / OUTPUT
    command = [sys.executable, "-m", "thorp", "up", *arguments, "--ready-fd", str(writing)]
    with os.fdopen(reading, "rb") as told, opened_privately(output) as log_file:
        child = subprocess.Popen(  # noqa: S603  (our own interpreter and our own words)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            pass_fds=(writing,),
            start_new_session=True,
            cwd="/",
        )
        os.close(writing)
        try:
            said = parse_line(told.readline())
        except KeyboardInterrupt:
            child.terminate()
            raise
    if isinstance(said, Ready):
        child.returncode = 0  # it is meant to outlive us; nobody has to reap it here
        return said
    raise _failed(said, child, str(output))


def opened_privately(output: Path) -> BinaryIO:
    with explaining("write", output):
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)
    return os.fdopen(handle, "ab")


def _failed(said: StartFailed | None, child: "subprocess.Popen[bytes]", output: str) -> StartFailedError:
    with suppress(subprocess.TimeoutExpired):
        child.wait(10)
    if said is None:
        return StartFailedError(f"The node ended before it was ready. `{output}` has what it said last.")
    error = StartFailedError(said.message)
    error.code, error.exit_code = said.code, said.exit_code  # the child's own error, told by its parent
    return error
