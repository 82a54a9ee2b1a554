"""Git repositories of a test, made by git itself and with no network."""

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from thorp.models.git_plan import read_address
from thorp.models.git_run import GitRun
from thorp.testing.clock import FakeClock
from thorp.testing.gguf import tiny_gguf

GGUF: Final = "Tiny-1B-Q8_0.gguf"
NEEDED: Final = pytest.mark.needs("git", "git-lfs")


def git(folder: Path, *words: str, given: bytes = b"") -> str:
    own = {
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    done = subprocess.run(
        ["git", "-C", folder, *words], check=True, capture_output=True, input=given, env=os.environ | own
    )
    return done.stdout.decode().strip()


def repository(top: Path, files: Mapping[str, bytes], *, lfs: str = "*.gguf") -> Path:
    """One commit of these files. `lfs`: what Git LFS keeps; empty: nothing."""
    folder = top / "org" / "Tiny-1B"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    if lfs:
        git(folder, "lfs", "install", "--local")
        git(folder, "lfs", "track", lfs)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")
    return git(folder, "rev-parse", "HEAD")


def a_gguf(top: Path, seed: int = 0) -> bytes:
    return tiny_gguf(top / f"{seed}-{GGUF}", seed=seed)[0].read_bytes()


def a_run(top: Path, folder: Path, *, programs: str | None = None) -> GitRun:
    """Git in a scratch folder of the test, on a repository of this machine."""
    scratch = top / "scratch"
    scratch.mkdir()
    address = read_address(f"file://{folder}", files=True)
    more = {} if programs is None else {"programs": programs}
    return GitRun(scratch, "org/Tiny-1B", address, FakeClock(), threading.Event(), **more)
