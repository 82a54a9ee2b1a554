"""Network namespaces for tests: made by name, and gone with everything that ran in them. Needs root and `ip`."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from thorp.testing.process import run, until


class NoVillageError(Exception):
    """A program that sets a network up did not do what it was told."""


def do(*words: str, stdin: str = "") -> str:
    """Run a program that has to succeed; answers with what it said."""
    try:
        ended = run(words, input=stdin)
    except FileNotFoundError:
        raise NoVillageError(f"`{words[0]}` is missing; `script/packages` installs it.") from None
    if ended.returncode:
        hint = "" if os.geteuid() == 0 else " Network namespaces need root."
        raise NoVillageError(
            f"`{' '.join(words)}` failed: {ended.stderr.strip() or ended.stdout.strip()}{hint}\n{stdin}"
        )
    return ended.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network of its own, with nothing in it but what is put there."""

    name: str

    def make(self) -> None:
        do("ip", "netns", "add", self.name)
        self.ip("link set lo up")

    @property
    def through(self) -> tuple[str, ...]:
        """What begins a command line that runs in here."""
        return ("ip", "netns", "exec", self.name)

    def ip(self, *lines: str) -> None:
        """Commands of `ip`, one a line."""
        do("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines) + "\n")

    def do(self, *words: str, stdin: str = "") -> str:
        return do(*self.through, *words, stdin=stdin)

    def processes(self) -> set[int]:
        return {int(one) for one in do("ip", "netns", "pids", self.name).split()}

    def remove(self) -> None:
        """Kill what still runs in here, then take the namespace away, whatever becomes of the first."""
        try:
            for process in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            until(lambda: not self.processes(), f"nothing runs in {self.name}")
        finally:
            do("ip", "netns", "del", self.name)


def cable(near: Namespace, port: str, far: Namespace, *, rate: str | None = None) -> None:
    """Join two namespaces: `port` on the near side, `eth0` on the far one, each sending at most at this rate."""
    near.ip(f"link add {port} type veth peer name eth0 netns {far.name}", f"link set {port} up")
    far.ip("link set eth0 up")
    if rate:
        near.do(*shaping(port, rate))
        far.do(*shaping("eth0", rate))


def shaping(port: str, rate: str) -> Sequence[str]:
    """What lets a port send no faster: `rate` as `tc` reads it, such as `1gbit`."""
    return ("tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", rate, "burst", "256kb", "latency", "50ms")
