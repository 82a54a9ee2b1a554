"""Runs git for us: with our settings alone, in a folder of ours, watched for how much it writes and how long it takes.

It asks nobody for a password, runs no hook, follows no redirect, and speaks the one protocol that was asked for.
"""

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.base.amounts import size
from thorp.base.clock import Clock
from thorp.base.errors import ConflictError, NetworkError, NotFoundError, TryAgainError
from thorp.base.files import explaining
from thorp.base.printable import printable
from thorp.models.git_plan import Address
from thorp.models.ports import Stop

PROGRAMS: Final = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin"
LOOK: Final = 0.2  # seconds between two looks at what git writes
LONGEST_TOLD: Final = 300
LARGEST_ANSWER: Final = 16 * 1024 * 1024
LARGEST_COMPLAINT: Final = 64 * 1024
QUICK: Final = 60.0
NAMELESS: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "thorp"), ("EMAIL", "thorp"), ("DATE", "@0 +0000"))
}
SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.askPass=",
    "credential.helper=",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "transfer.fsckObjects=true",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "lfs.fetchinclude=",
    "lfs.fetchexclude=",
    "lfs.locksverify=false",
)
SSH: Final = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oPermitLocalCommand=no -oForwardAgent=no"


class ProgramMissingError(NotFoundError):
    """Cloning needs a program that is not installed."""

    code = "models.git_missing"


class GitFailedError(NetworkError):
    """Git could not clone a repository."""

    code = "models.git_failed"


class CloneEndedError(TryAgainError):
    """Cloning was told to end, or took longer than it may."""

    code = "models.clone_ended"


class RepositoryTooLargeError(ConflictError):
    """A repository that is larger than what is taken."""

    code = "models.git_too_large"


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of git."""

    words: tuple[str, ...]
    limit: int  # bytes that may lie at `watched`, or in the scratch folder
    seconds: float = QUICK
    into: Path | None = None  # a new file for what it answers
    given: Path | None = None  # what it reads
    watched: Path | None = None
    told: Callable[[int], None] = lambda _: None  # how many bytes lie there now


@dataclass(frozen=True, slots=True)
class GitRun:
    """Git on one repository, in a folder of ours."""

    scratch: Path
    name: str  # of the repository, for people
    address: Address
    clock: Clock
    stop: Stop
    programs: str = PROGRAMS

    @property
    def bare(self) -> Path:
        return self.scratch / "bare"

    def program(self, name: str, remedy: str) -> str:
        found = shutil.which(name, path=self.programs)
        if found is None:
            raise ProgramMissingError(f"`{name}` is not installed here. {remedy}")
        return found

    def inside(self, *words: str) -> tuple[str, ...]:
        """These words for the clone."""
        return (f"--git-dir={self.bare}", *words)

    def answer(self, *words: str, given: Path | None = None, limit: int = LARGEST_ANSWER) -> bytes:
        """What a quick command about the clone answers."""
        into = self.scratch / "answer"
        into.unlink(missing_ok=True)
        self.run(Errand(self.inside(*words), limit, into=into, given=given, watched=into))
        if (found := into.lstat().st_size) > limit:
            raise self.too_large(found, limit)
        return into.read_bytes()

    def run(self, errand: Errand) -> None:
        """To its end; or end it, when it writes too much, takes too long, or nobody wants it any more."""
        errors = self.scratch / "errors"
        process = self._start(errand, errors)
        try:
            self._watch(process, errand)
        finally:
            _end(process)
        if process.returncode:
            raise GitFailedError(self._complaint(errors))

    def weight(self) -> int:
        """How many bytes lie in the scratch folder."""
        return _weight(self.scratch)

    def too_large(self, found: int, limit: int) -> RepositoryTooLargeError:
        return RepositoryTooLargeError(
            f"The repository {self.name} is larger than what is taken: {size(found)} of at most {size(limit)}. "
            "Nothing was kept; download the files you want and share their folder."
        )

    def _start(self, errand: Errand, errors: Path) -> "subprocess.Popen[bytes]":
        git = self.program("git", "Install git, or download the files and share their folder.")
        settings = [word for one in (*SETTINGS, f"lfs.url={self.address.lfs}") for word in ("-c", one)]
        handles: list[int] = []
        try:
            with explaining("use", self.scratch):
                handles.append(os.open(errand.given or os.devnull, os.O_RDONLY | os.O_CLOEXEC))
                handles.append(_new(errand.into) if errand.into else os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
                errors.unlink(missing_ok=True)
                handles.append(_new(errors))
            return subprocess.Popen(  # noqa: S603  (a program of the system, and an address that is no option)
                [git, *settings, *errand.words],
                stdin=handles[0],
                stdout=handles[1],
                stderr=handles[2],
                env=self._variables(),
                cwd=self.scratch,
                start_new_session=True,
            )
        finally:
            for handle in handles:
                os.close(handle)

    def _watch(self, process: "subprocess.Popen[bytes]", errand: Errand) -> None:
        begun = self.clock.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
                return
            if self.stop.is_set():
                raise CloneEndedError(f"Cloning {self.name} was ended before it was through. Nothing was kept.")
            if self.clock.monotonic() - begun > errand.seconds:
                raise CloneEndedError(f"Cloning {self.name} took longer than it may. Nothing was kept.")
            found = _weight(errand.watched or self.scratch)
            if found > errand.limit:
                raise self.too_large(found, errand.limit)
            errand.told(found)

    def _variables(self) -> dict[str, str]:
        """Nothing of the person's own surroundings, but where programs lie."""
        return {
            **NAMELESS,
            "PATH": self.programs,
            "HOME": str(self.scratch),
            "XDG_CONFIG_HOME": str(self.scratch),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": self.address.protocol,
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_SSH_COMMAND": SSH,
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
        }

    def _complaint(self, errors: Path) -> str:
        with errors.open("rb") as file:
            said = file.read(LARGEST_COMPLAINT).decode(errors="replace").strip().splitlines()
        last = next((one for one in said if one.startswith(("fatal:", "error:"))), said[-1] if said else "")
        why = printable(last)[:LONGEST_TOLD].rstrip(".") or "it gave no reason"
        return f"Git could not bring {self.name} from `{self.address.url}`: {why}. Check the address and your access."


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _weight(place: Path) -> int:
    """How many bytes lie at a place, at a moment when somebody may be writing there."""
    total = 0
    waiting = [place]
    while waiting:
        one = waiting.pop()
        with suppress(OSError):
            facts = one.lstat()
            if stat.S_ISDIR(facts.st_mode):
                with os.scandir(one) as entries:
                    waiting += [Path(entry.path) for entry in entries]
            else:
                total += facts.st_size
    return total


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The process, and everything that it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
