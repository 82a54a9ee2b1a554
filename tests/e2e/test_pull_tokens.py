"""Gated repositories and the token that opens them: it is shown to the hub, and to nobody else."""

import subprocess
from collections.abc import Mapping
from typing import Final

import pytest

from tests.e2e.pulls import (
    ONE,
    Home,
)
from thorp.testing.hub import Content, FakeHub, Host
from thorp.testing.process import running_node

SECRET: Final = "hf_averysecrettoken"


@pytest.fixture
def gated(hub: FakeHub, stocked: Mapping[str, Mapping[str, Content]]) -> str:
    hub.add("closed/Tiny-1B-GGUF", stocked[ONE], gated=True, license="llama3")
    return "closed/Tiny-1B-GGUF"


def showed_tokens(hub: FakeHub) -> bool:
    """Whether the hub saw one; nobody else ever may."""
    assert hub.leaks == 0
    assert not any(one.authorization for one in hub.log if one.host is Host.CDN)
    return any(one.authorization for one in hub.log)


def test_B25_B34_a_gated_repository_needs_a_token_that_may(either: Home, hub: FakeHub, gated: str) -> None:
    said = either.refused(gated, code=4, says="accept its terms at")
    assert f"{hub.url}/{gated}" in said
    assert "thorp login hub" in said
    assert "gated: its owners ask for an agreement first" in said
    assert not showed_tokens(hub)
    either.nothing_installed()


@pytest.mark.parametrize("by", ["variable", "login"])
def test_B25_a_token_reaches_the_hub_and_nobody_else(
    here: Home, hub: FakeHub, gated: str, stocked: Mapping[str, Mapping[str, Content]], by: str
) -> None:
    hub.tokens[SECRET] = set()
    variables = {"HF_TOKEN": SECRET} if by == "variable" else {}
    if by == "login":
        kept = subprocess.run(
            **here.run("login", "hub", "--token", "-"), input=SECRET + "\n", capture_output=True, check=False
        )
        assert kept.returncode == 0, kept
        assert SECRET not in kept.stdout + kept.stderr
    said = here.refused(gated, code=4, says="accept its terms at", **variables)
    assert "then try again" in said
    here.nothing_installed()
    hub.tokens[SECRET].add(gated)
    receipt = here.pull(gated, **variables)
    assert showed_tokens(hub)
    here.proven(receipt, stocked[ONE])
    assert (receipt["gated"], receipt["license"], receipt["files"][0]["infohash"]) == (True, "llama3", None)
    assert list(here.at.glob("data/torrents/*")) == []
    written = [one for one in here.at.rglob("*") if one.is_file() and SECRET.encode() in one.read_bytes()]
    assert [one.stat().st_mode & 0o777 for one in written] == ([0o600] if by == "login" else [])
    if by == "login":
        assert here.thorp("logout", "hub", "--yes").returncode == 0
        assert not written[0].exists()


def test_B25_a_node_uses_the_token_of_its_owner(here: Home, hub: FakeHub, gated: str) -> None:
    hub.tokens[SECRET] = {gated}
    with running_node(here.at, **here.given, HF_TOKEN=SECRET):
        here.pull(gated)
    assert showed_tokens(hub)
    logs = "".join(one.read_text() for one in (here.at / "logs").iterdir())
    assert SECRET not in logs + (here.at.parent / f"{here.at.name}.output").read_text()


def test_a_token_that_the_hub_does_not_know_is_told(either: Home, hub: FakeHub) -> None:
    login = either.run("login", "hub", "--token", "-")
    assert subprocess.run(**login, input="hf_unknown", capture_output=True, check=False).returncode == 0
    either.refused(ONE, code=4, says="does not accept the token")
    assert hub.leaks == 0
