"""Namespaces come with nothing in them and go with everything that is."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from thorp.base.clock import SystemRandomness
from thorp.testing.namespaces import Namespace, NoVillageError, cable, do, shaping

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc")]


def named(word: str) -> Namespace:
    return Namespace(f"thorp-test-{SystemRandomness().bytes(4).hex()}-{word}")


@pytest.fixture
def space() -> Iterator[Namespace]:
    made = named("one")
    made.make()
    yield made
    if made.name in do("ip", "netns", "list"):
        made.remove()


def test_there_is_loopback_in_it_and_nothing_else(space: Namespace) -> None:
    lines = space.do("ip", "-o", "link").splitlines()
    assert [(line.split()[1], "LOOPBACK,UP" in line) for line in lines] == [("lo:", True)]


def test_removing_it_ends_what_runs_in_it_even_what_left_its_parent(space: Namespace) -> None:
    script = "import os; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); input()"
    with subprocess.Popen(
        [*space.through, sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        assert child in space.processes()
        space.remove()
    assert space.name not in do("ip", "netns", "list")


def test_what_fails_is_told_with_what_the_program_said(space: Namespace) -> None:
    with pytest.raises(NoVillageError, match="File exists"):
        space.make()
    with pytest.raises(NoVillageError, match=r'Cannot find device "eth9"'):
        space.ip("link set eth9 up")


def test_a_program_that_is_not_there_is_told_with_what_installs_it() -> None:
    with pytest.raises(NoVillageError, match="script/packages"):
        do("no-such-program-anywhere")


def test_a_cable_joins_two_of_them_at_a_rate(space: Namespace) -> None:
    with ExitStack() as stack:
        far = named("far")
        far.make()
        stack.callback(far.remove)
        cable(space, "to-far", far, rate="20mbit")
        assert "tbf" in space.do("tc", "qdisc", "show", "dev", "to-far")
        assert "rate 20Mbit" in far.do("tc", "qdisc", "show", "dev", "eth0")


def test_a_rate_is_passed_on_as_it_was_written() -> None:
    assert " ".join(shaping("eth0", "1gbit")).startswith("tc qdisc add dev eth0 root tbf rate 1gbit ")
